import { ConflictError } from "../../../agents/model_deployer/errors.ts";
import type { LocalService } from "../../../platform/services/local_service.ts";
import {
  type Attendant,
  attendantsOf,
  forgetAttendant,
  noteAttendant,
  stoppedUnder,
} from "../../../platform/processes/homes/attendants.ts";
import type { Configuration } from "../../../wiring/settings/configuration.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { listOfServices } from "../../output/views/down_view.ts";

const LOOK_MS = 250;

/** How long a command serves. */
export interface Served {
  /** Aborted by Ctrl-C and SIGTERM, and when what it works with is brought down. */
  until: AbortSignal;
  /** Whether another command is stopping what it works with, so that nothing of that is left to stop. */
  isBroughtDown: () => boolean;
}

/**
 * Runs a command that serves a home until it is ended, where others see it. Where one brings the home down, it says so and
 * ends in order before anything is stopped.
 * @throws ConflictError for `up` where `up` runs
 */
export async function attending<T>(
  invocation: Invocation,
  command: Attendant["command"],
  work: (served: Served) => Promise<T>,
): Promise<T> {
  const configuration = await invocation.configuration();
  const { home } = configuration;
  const own = await noteAttendant(home, { command, needs: embedded(configuration) });
  const broughtDown = new AbortController();
  const looking = setInterval(() => {
    stoppedUnder(home, own).then(
      (stopped) => {
        if (stopped.length === 0 || broughtDown.signal.aborted) return;
        const what = stopped.includes("home")
          ? "This home is"
          : `${listOfServices(stopped)} of this home ${stopped.length === 1 ? "is" : "are"}`;
        tell(invocation, {
          event: "brought_down",
          message: `${what} being stopped by another command, so ${command} ends.`,
        });
        broughtDown.abort();
      },
      () => undefined,
    );
  }, LOOK_MS).unref();
  try {
    tellOthers(invocation, own, await attendantsOf(home));
    const until = AbortSignal.any([invocation.signal, broughtDown.signal]);
    return await work({ until, isBroughtDown: () => broughtDown.signal.aborted });
  } finally {
    clearInterval(looking);
    if (broughtDown.signal.aborted) invocation.begun.splice(0);
    await forgetAttendant(home, own);
  }
}

/** @throws ConflictError */
function tellOthers(invocation: Invocation, own: Attendant, all: readonly Attendant[]): void {
  const before = all.slice(
    0,
    all.findIndex((one) => one.pid === own.pid && one.command === own.command),
  );
  const up = before.find((one) => one.command === "up");
  if (up !== undefined && own.command === "up")
    throw new ConflictError(
      `up runs in this home already, as process ${up.pid}: \`model-deployer console\` prints its address, and Ctrl-C there or \`model-deployer down\` ends it.`,
      { retryable: false, details: { process: up.pid } },
    );
  const working = before.find((one) => one.command !== "serve");
  if (working === undefined || own.command === "serve") return;
  const message = `${working.command} works in this home already, as process ${working.pid}; the two share the work.`;
  tell(invocation, { event: "beside", message });
}

function embedded({ databaseUrl, redisUrl, mlflowUrl }: Configuration): LocalService["name"][] {
  return [
    ...(databaseUrl === null ? ["postgres" as const] : []),
    ...(redisUrl === null ? ["redis" as const] : []),
    ...(mlflowUrl === null ? ["mlflow" as const] : []),
  ];
}

/** A sentence of a command that serves, or a line of JSON. */
export function tell(
  { terminal }: Invocation,
  event: { event: string; message: string; url?: string },
): void {
  if (!terminal.json) return terminal.out([event.message]);
  const at = new Date().toISOString();
  terminal.out([JSON.stringify({ at, level: "info", ...event })]);
}
