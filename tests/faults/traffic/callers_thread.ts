import { setTimeout as delay } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { Client } from "undici";
import { hasCode } from "../../../src/platform/system_errors.ts";
import { wrongWith } from "./answer_check.ts";
import { TrafficLedger } from "./ledger.ts";
import { callersDataSchema, type CallersReport } from "./messages.ts";

/** Callers of one endpoint on kept-alive connections, each of which checks every answer against the ledger. */
const { endpoint_url, ledger: memory, busy, slow, held } = callersDataSchema.parse(workerData);
const ledger = new TrafficLedger(memory);
const report: CallersReport = { lost: 0, over_a_switch: 0, on_held_connections: 0, sent_again: 0, wrong: [] };

const BODY = JSON.stringify({ entity_id: "e1", features: { age: 51, tenure: 3 }, time_horizon: "30d" });
const SLOW_MS = [40, 150, 400] as const;
const LONGEST_PAUSE_MS = 2_500;
/** Who waits longer has no answer. */
const DEADLINES = { headersTimeout: 20_000, bodyTimeout: 20_000 };
const SENTENCES = 50;

function note(what: string): void {
  if (report.wrong.length < SENTENCES) report.wrong.push({ at: ledger.read("switches"), what });
}

async function askOnce(client: Client, acknowledged: number, after: number): Promise<void> {
  const answer = await client.request({
    method: "POST",
    path: "/predict",
    headers: { "content-type": "application/json", "x-answer-after": String(after) },
    body: BODY,
  });
  const server = await answer.body.text();
  if (answer.statusCode !== 200) {
    report.lost += 1;
    note(`${answer.statusCode} after generation ${acknowledged}: ${server.slice(0, 100)}`);
    return;
  }
  const generation = Number(answer.headers["x-endpoint-generation"]);
  const deployment = String(answer.headers["x-deployment-id"]);
  const wrong = wrongWith({ generation, deployment, server }, acknowledged, ledger);
  if (wrong !== null) note(wrong);
  if (generation < ledger.read("published")) report.over_a_switch += 1;
}

/**
 * Only a closed listener excuses a request without an answer: one that was sent while the endpoint was being closed or
 * could not be connected. It is sent again and must be answered then; one that was under way before must be answered.
 */
function isExcused(error: unknown, windowsBefore: number): boolean {
  const wasOpen = windowsBefore % 2 === 0;
  return !wasOpen || (hasCode(error, "ECONNREFUSED") && ledger.read("windows") !== windowsBefore);
}

async function ask(client: Client, slot: number, after: number): Promise<void> {
  for (;;) {
    const windows = ledger.read("windows");
    const acknowledged = ledger.read("acknowledged");
    ledger.enter(slot);
    try {
      await askOnce(client, acknowledged, after);
      ledger.add("answered");
      return;
    } catch (error) {
      if (!isExcused(error, windows)) {
        report.lost += 1;
        note(`no answer after generation ${acknowledged}: ${String(error)}`);
        return;
      }
      report.sent_again += 1;
      await delay(5);
    } finally {
      ledger.leave(slot);
    }
  }
}

/** Asks again as soon as it has its answer. */
async function callOn(slot: number, afters: readonly number[]): Promise<void> {
  const client = new Client(endpoint_url, DEADLINES);
  for (let count = slot; ledger.read("isOver") === 0; count += 1) {
    await ask(client, slot, afters[count % afters.length] ?? 0);
  }
  await client.close();
}

async function callNowAndThen(slot: number, pause: number): Promise<void> {
  const client = new Client(endpoint_url, { ...DEADLINES, keepAliveTimeout: 60_000 });
  while (ledger.read("isOver") === 0) {
    await ask(client, slot, 0);
    report.on_held_connections += 1;
    await delay(pause);
  }
  await client.close();
}

const numbers = (count: number) => Array.from({ length: count }, (_, one) => one);
await Promise.all([
  ...numbers(busy).map((one) => callOn(one, [0])),
  ...numbers(slow).map((one) => callOn(busy + one, SLOW_MS)),
  ...numbers(held).map((one) => callNowAndThen(busy + slow + one, (LONGEST_PAUSE_MS * (one + 1)) / held)),
]);
parentPort?.postMessage(report);
