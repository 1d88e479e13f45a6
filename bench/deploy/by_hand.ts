import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { execa } from "execa";
import { z } from "zod";
import { ServiceUnavailableError } from "../../src/agents/model_deployer/errors.ts";
import { findFreePort } from "../../src/platform/free_port.ts";
import { childEnvironment, startProcess, stopProcess } from "../../src/platform/processes/managed_process.ts";

/** The shortest service for a model that MLflow has saved; it imports what is slow only where the model is loaded. */
const SERVICE = `
import os

import bentoml


@bentoml.service
class HandMade:
    def __init__(self):
        import mlflow.sklearn

        self.model = mlflow.sklearn.load_model(os.path.join(os.path.dirname(__file__), "model"))

    @bentoml.api
    def predict(self, rows: list[dict]) -> list[int]:
        import pandas

        return self.model.predict(pandas.DataFrame(rows)).tolist()
`;
const BENTOFILE = `service: "service:HandMade"\ninclude: ["*"]\npython:\n  requirements_txt: "requirements.txt"\n  lock_packages: false\n`;
const exampleSchema = z.object({
  dataframe_split: z.object({ columns: z.array(z.string()), data: z.array(z.array(z.unknown())) }),
});
const POLL_MS = 10;
const DEADLINE_MS = 120_000;

export interface Hand {
  /** The `bentoml` that builds: the tools environment's, as for the agent, for building needs `uv` beside it. */
  builder: string;
  /** The `bentoml` of the environment that serves the model. */
  server: string;
  /** A folder on the file system of the home. */
  directory: string;
}

export interface HandTimes {
  build: number;
  /** From the end of the build to a 200 on `/readyz`. */
  serve: number;
  predict: number;
  total: number;
}

/** Times `bentoml build`, `bentoml serve` until it is ready, and one prediction, in ms; ends the server. */
export async function deployByHand(hand: Hand, artifact: string, name: string): Promise<HandTimes> {
  const context = join(hand.directory, name);
  await mkdir(context, { recursive: true });
  await cp(artifact, join(context, "model"), { recursive: true });
  await cp(join(artifact, "requirements.txt"), join(context, "requirements.txt"));
  await writeFile(join(context, "service.py"), SERVICE);
  await writeFile(join(context, "bentofile.yaml"), BENTOFILE);
  const sample = await sampleRows(artifact);
  const port = await findFreePort();
  const env = childEnvironment({ BENTOML_HOME: join(hand.directory, "home"), BENTOML_DO_NOT_TRACK: "True" });
  const run = { name, runDirectory: join(hand.directory, "run") };

  const begun = performance.now();
  await execa(hand.builder, ["build", ".", "--name", "by_hand", "--version", name], {
    cwd: context,
    env,
    extendEnv: false,
  });
  const built = performance.now();
  await startProcess({
    ...run,
    command: hand.server,
    args: ["serve", `by_hand:${name}`, "--host", "127.0.0.1", "--port", String(port)],
    env,
  });
  try {
    await untilReady(port);
    const ready = performance.now();
    await predict(port, sample);
    const ended = performance.now();
    return { build: built - begun, serve: ready - built, predict: ended - ready, total: ended - begun };
  } finally {
    await stopProcess(run.runDirectory, run.name, { graceMs: 5000 });
  }
}

async function untilReady(port: number): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (performance.now() < deadline) {
    const signal = AbortSignal.timeout(1000);
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal }).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.status === 200) return;
    await delay(POLL_MS);
  }
  throw new ServiceUnavailableError("bentoml", "the server made by hand did not become ready");
}

async function predict(port: number, rows: unknown): Promise<void> {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ rows });
  const signal = AbortSignal.timeout(10_000);
  const answer = await fetch(`http://127.0.0.1:${port}/predict`, { method: "POST", headers, body, signal });
  if (answer.status === 200) return;
  throw new ServiceUnavailableError(
    "bentoml",
    `the server made by hand answered ${answer.status}: ${await answer.text()}`,
  );
}

async function sampleRows(artifact: string): Promise<unknown> {
  const text = await readFile(join(artifact, "serving_input_example.json"), "utf8");
  const { columns, data } = exampleSchema.parse(JSON.parse(text)).dataframe_split;
  return data
    .slice(0, 1)
    .map((row) => Object.fromEntries(row.map((cell, index) => [columns[index] ?? "", cell])));
}
