import { appendFile, mkdtemp, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { LoggedPrediction } from "../../../src/agents/model_deployer/ports.ts";
import { BentoMLPredictionLogs } from "../../../src/mlops/bentoml/prediction_logs.ts";
import { describePredictionLogs } from "../../../src/testing/contracts/prediction_logs.ts";

/** A line as `prediction_log.py` writes it. */
function lineOf({ request_id, prediction, score }: LoggedPrediction, status = 200): string {
  const others = { deployment_id: "d1", time: "2026-03-01T12:00:00.000+00:00", latency_ms: 1.5 };
  return `${JSON.stringify({ x_request_id: request_id, ...others, status, prediction, score })}\n`;
}

async function make() {
  const folder = await mkdtemp(join(tmpdir(), "prediction-logs-"));
  const pathOf = (deploymentId: string) => join(folder, `${deploymentId}.jsonl`);
  return {
    pathOf,
    logs: new BentoMLPredictionLogs({ predictionLogPath: async (id) => pathOf(id) }),
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
