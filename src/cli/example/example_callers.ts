import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Pool } from "undici";
import { z } from "zod";
import { isMissing } from "../../platform/system_errors.ts";
import { readExample, type TrainedExample } from "./trained_example.ts";

export const callersSchema = z.enum(["usual", "larger", "none"]);
/** `larger` mixes in tumours that the third version was trained without, so that it fails. */
export type Callers = z.infer<typeof callersSchema>;

const file = (home: string): string => join(home, "example", "callers");

/** `usual` unless something else was set. */
export async function readCallers(home: string): Promise<Callers> {
  try {
    return callersSchema.catch("usual").parse((await readFile(file(home), "utf8")).trim());
  } catch (error) {
    if (isMissing(error)) return "usual";
    throw error;
  }
}

export async function setCallers(home: string, callers: Callers): Promise<void> {
  await mkdir(join(home, "example"), { recursive: true, mode: 0o700 });
  await writeFile(file(home), `${callers}\n`);
}

const AT_ONCE = 4;
const PAUSE_MS = 200;
const LOOK_MS = 1000;
/** Only guards against hanging. */
const TIMEOUT_MS = 60_000;

interface Options {
  home: string;
  /** The example's endpoint; null before it is open. */
  endpointUrl: () => Promise<string | null>;
  signal: AbortSignal;
}

/** Callers of the example's endpoint until the signal, as long as there is an example and somebody is to call. */
export async function callExample({ home, endpointUrl, signal }: Options): Promise<void> {
  while (!signal.aborted) {
    const [callers, example, url] = [await readCallers(home), await readExample(home), await endpointUrl()];
    if (callers === "none" || example === null || url === null) await pause(LOOK_MS, signal);
    else await callFor({ url, rows: rowsOf(example, callers), signal });
  }
}

function rowsOf({ rows }: TrainedExample, callers: Callers): TrainedExample["rows"]["usual"] {
  return callers === "larger"
    ? [...rows.largest, ...rows.usual.slice(0, 3 * rows.largest.length)]
    : rows.usual;
}

const CALLS_BETWEEN_LOOKS = 20;

async function callFor(given: { url: string; rows: Record<string, number>[]; signal: AbortSignal }) {
  const { url, rows, signal } = given;
  const pool = new Pool(url, { connections: AT_ONCE, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS });
  const callOn = async () => {
    for (let call = 0; call < CALLS_BETWEEN_LOOKS && !signal.aborted; call += 1) {
      await ask(pool, rows[Math.floor(Math.random() * rows.length)] ?? {});
      await pause(PAUSE_MS, signal);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, callOn));
  await pool.close();
}

async function ask(pool: Pool, features: Record<string, number>): Promise<void> {
  const body = JSON.stringify({ entity_id: "patient", features, time_horizon: "30d", return_proba: true });
  const headers = { "content-type": "application/json" };
  try {
    const answer = await pool.request({ method: "POST", path: "/predict", headers, body });
    await answer.body.dump();
  } catch (error) {
    // A caller asks again a moment later; what failed is counted by the router.
    if (!(error instanceof Error)) throw error;
  }
}

const pause = (milliseconds: number, signal: AbortSignal): Promise<unknown> =>
  delay(milliseconds, undefined, { signal }).catch(() => undefined);
