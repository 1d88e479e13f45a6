import { setTimeout as delay } from "node:timers/promises";
import type { Check } from "../../../service/machine/machine_schemas.ts";

export type DoctorFinding = Omit<Check, "part">;

/** The limit of one check; all run side by side. */
export const CHECK_MS = 8000;

export const fine = (found: string): DoctorFinding => ({ state: "ok", found, advice: null });
export const weak = (found: string, advice: string): DoctorFinding => ({ state: "degraded", found, advice });
export const down = (found: string, advice: string): DoctorFinding => ({ state: "down", found, advice });

/** A check that raises or takes too long reports its part as down. */
export async function check(part: string, look: () => Promise<DoctorFinding>): Promise<Check> {
  const ended = new AbortController();
  const late = delay(CHECK_MS, undefined, { signal: ended.signal }).then(() =>
    down(`no answer within ${CHECK_MS / 1000} s`, "see whether it hangs, and restart it"),
  );
  try {
    return { part, ...(await Promise.race([look(), late])) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { part, ...down(firstLine(message), adviceFor(part)) };
  } finally {
    ended.abort();
    await late.catch(() => undefined);
  }
}

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? "";

const ADVICE: Readonly<Record<string, string>> = {
  python: "install Python 3.10 or newer with its venv module, or name one in MODEL_DEPLOYER_PYTHON",
  redis: "start it, or correct REDIS_URL; until then working memory is left out",
  mlflow: "start it, or correct MLFLOW_TRACKING_URI; until then nothing can be registered",
  supabase: "check SUPABASE_URL and SUPABASE_KEY; until then episodes wait in the outbox",
  checkpoints: "start it, or correct MODEL_DEPLOYER_CHECKPOINTS_URL; until then a worker keeps no threads",
  postgres: "start it, or correct DATABASE_URL; without it nothing moves",
};
export const adviceFor = (part: string): string => ADVICE[part] ?? "see the message";

export function notStarted(name: string): DoctorFinding {
  return weak(`the embedded ${name} does not run`, "the next command that needs it starts it");
}
