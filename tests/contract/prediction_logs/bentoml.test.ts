import { appendFile, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { LoggedPrediction } from "../../../src/agents/model_deployer/ports/evidence/prediction_logs_port.ts";
import { BentoMLPredictionLogs } from "../../../src/mlops/bentoml/prediction_logs.ts";
import { describePredictionLogs } from "../../../src/testing/contracts/prediction_logs_contract.ts";

/** A line as `prediction_log.py` writes it. */
function lineOf(
  { request_id, prediction, score, answered_at, has_failed = false }: LoggedPrediction,
  status = has_failed ? 500 : 200,
): string {
  const others = { deployment_id: "d1", time: answered_at, latency_ms: 1.5 };
  return `${JSON.stringify({ x_request_id: request_id, ...others, status, prediction, score })}\n`;
}

async function make() {
  const folder = await mkdtemp(join(tmpdir(), "prediction-logs-"));
  const pathOf = (deploymentId: string) => join(folder, `${deploymentId}.jsonl`);
  return {
    pathOf,
    logs: new BentoMLPredictionLogs({
      predictionLogFiles: async (id) => [{ path: pathOf(id), since: null }],
    }),
    write: (deploymentId: string, predictions: LoggedPrediction[]) =>
      appendFile(pathOf(deploymentId), predictions.map((one) => lineOf(one)).join("")),
    dispose: () => rm(folder, { recursive: true, force: true }),
  };
}

describePredictionLogs("BentoML", make);

const options = { signal: new AbortController().signal };
const one = (request_id: string): LoggedPrediction => ({ request_id, prediction: "yes", score: null });

test("what was written before a rotation is read to its end, then the new file from its beginning", async () => {
  const { logs, write, pathOf, dispose } = await make();
  await write("d1", [one("a")]);
  const first = await logs.read("d1", null, options);
  await write("d1", [one("b")]);
  await rename(pathOf("d1"), `${pathOf("d1")}.1`);
  await write("d1", [one("c")]);
  const second = await logs.read("d1", first.position, options);
  expect(second.predictions).toEqual([one("b")]);
  const third = await logs.read("d1", second.position, options);
  expect(third.predictions).toEqual([one("c")]);
  await dispose();
});

test("failures, lines without an id and lines that are no JSON have nothing to compare; a half line waits", async () => {
  const { logs, write, pathOf, dispose } = await make();
  const whole = lineOf(one("half"));
  const noId = lineOf(one("x")).replace('"x"', "null");
  await appendFile(pathOf("d1"), lineOf(one("failed"), 500) + noId + "garbage\n" + lineOf(one("good")));
  await appendFile(pathOf("d1"), whole.slice(0, 20));
  const read = await logs.read("d1", null, options);
  expect(read.predictions).toEqual([one("good")]);
  await appendFile(pathOf("d1"), whole.slice(20));
  expect((await logs.read("d1", read.position, options)).predictions).toEqual([one("half")]);
  await write("d1", []);
  await dispose();
});

test("the first reading of a long log begins a megabyte before its end", async () => {
  const { logs, write, dispose } = await make();
  const many = Array.from({ length: 20_000 }, (_, index) => one(`r${index}`));
  await write("d1", many);
  const { predictions } = await logs.read("d1", null, options);
  expect(predictions.at(-1)).toEqual(many.at(-1));
  expect(predictions.length).toBeLessThan(many.length);
  await dispose();
});

test("a request that a second server of the deployment answered again is read once", async () => {
  const { write, pathOf, dispose } = await make();
  const logs = new BentoMLPredictionLogs({
    predictionLogFiles: async () => ["one", "two"].map((id) => ({ path: pathOf(id), since: null })),
  });
  await write("one", [one("broken off"), one("named twice by its caller"), one("named twice by its caller")]);
  await write("two", [one("broken off"), one("its own")]);
  const { predictions } = await logs.read("d1", null, options);
  expect(predictions.map(({ request_id }) => request_id)).toEqual([
    "broken off",
    "named twice by its caller",
    "named twice by its caller",
    "its own",
  ]);
  await dispose();
});

test("of requests with one id at several servers the earliest counts, whichever server is read first", async () => {
  const { write, pathOf, dispose } = await make();
  const logs = new BentoMLPredictionLogs({
    predictionLogFiles: async () => ["one", "two"].map((id) => ({ path: pathOf(id), since: null })),
  });
  const at = (second: number, prediction: string) => ({
    ...{ request_id: "same", prediction, score: null },
    answered_at: `2026-01-02T03:04:0${second}.000Z`,
  });
  await write("one", [at(7, "asked again"), at(8, "and again")]);
  await write("two", [at(5, "asked first")]);
  expect((await logs.read("d1", null, options)).predictions).toEqual([at(5, "asked first")]);
  await dispose();
});

test("what a server had logged before it was handed over is not its new deployment's", async () => {
  const { write, pathOf, dispose } = await make();
  const since = "2026-01-02T03:04:05.000Z";
  const logs = new BentoMLPredictionLogs({ predictionLogFiles: async (id) => [{ path: pathOf(id), since }] });
  const at = (request_id: string, answered_at: string) => ({ ...one(request_id), answered_at });
  await write("d1", [at("a shadow's", "2026-01-02T03:04:04.999Z"), at("its own", since)]);
  expect((await logs.read("d1", null, options)).predictions).toEqual([at("its own", since)]);
  await dispose();
});

test("reading a long log that has not grown takes no memory", async () => {
  const { logs, write, dispose } = await make();
  await write(
    "d1",
    Array.from({ length: 20_000 }, (_, index) => one(`r${index}`)),
  );
  const { position } = await logs.read("d1", null, options);
  const before = process.memoryUsage().arrayBuffers;
  await Promise.all(Array.from({ length: 30 }, () => logs.read("d1", position, options)));
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * 1024 ** 2);
  await dispose();
});
