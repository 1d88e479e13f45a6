import { z } from "zod";
import { authorization } from "../../../src/mlops/mlflow/mlflow_transport.ts";
import type { MLflowAccess } from "../../../src/wiring/settings/mlflow_settings.ts";
import type { RunSeed } from "../../../src/testing/in_memory/run_seed.ts";

const runSchema = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) });
const loggedModelSchema = z.object({ model: z.object({ info: z.object({ model_id: z.string() }) }) });

/** Writes runs, files and logged models into a real MLflow server, over its REST interface, as a trainer does. */
export class MLflowSeed {
  readonly #url: string;
  readonly #headers: Record<string, string>;

  constructor({ mlflowUrl, mlflowAuth }: MLflowAccess) {
    this.#url = mlflowUrl;
    this.#headers = authorization(mlflowAuth);
  }

  async addRun(
    seed: Omit<RunSeed, "run_id">,
  ): Promise<{ run_id: string; model_ids: Record<string, string> }> {
    const created = await this.#send("POST", "runs/create", { experiment_id: "0", start_time: Date.now() });
    const { run_id } = runSchema.parse(created).run.info;
    for (const [key, value] of Object.entries(seed.metrics ?? {})) await this.#logMetric(run_id, key, value);
    await this.#put(`0/${run_id}/artifacts`, seed.artifacts ?? {});
    const model_ids: Record<string, string> = {};
    for (const [name, files] of Object.entries(seed.models ?? {})) {
      model_ids[name] = await this.#logModel(run_id, name, files);
    }
    const status = { running: "RUNNING", finished: "FINISHED", failed: "FAILED" }[seed.status ?? "finished"];
    await this.#send("POST", "runs/update", { run_id, status });
    return { run_id, model_ids };
  }

  async setRunTag(runId: string, key: string, value: string): Promise<void> {
    await this.#send("POST", "runs/set-tag", { run_id: runId, key, value });
  }

  async deleteRun(runId: string): Promise<void> {
    await this.#send("POST", "runs/delete", { run_id: runId });
  }

  /** Logged twice, so that only a reader of the last value is right. */
  async #logMetric(runId: string, key: string, value: number): Promise<void> {
    const sent = Number.isFinite(value) ? value : String(value);
    for (const [step, each] of [-1, sent].entries()) {
      await this.#send("POST", "runs/log-metric", {
        run_id: runId,
        key,
        value: each,
        timestamp: step + 1,
        step,
      });
    }
  }

  async #logModel(runId: string, name: string, files: Record<string, string>): Promise<string> {
    const body = { experiment_id: "0", name, source_run_id: runId };
    const { model_id } = loggedModelSchema.parse(await this.#send("POST", "logged-models", body)).model.info;
    await this.#put(`0/models/${model_id}/artifacts`, files);
    await this.#send("PATCH", `logged-models/${model_id}`, { model_id, status: "LOGGED_MODEL_READY" });
    await this.#send("POST", "runs/outputs", { run_id: runId, models: [{ model_id, step: 0 }] });
    return model_id;
  }

  async #put(root: string, files: Record<string, string>): Promise<void> {
    for (const [path, text] of Object.entries(files)) {
      const encoded = `${root}/${path}`.split("/").map(encodeURIComponent).join("/");
      const url = `${this.#url}/api/2.0/mlflow-artifacts/artifacts/${encoded}`;
      await expectSuccess(await fetch(url, { method: "PUT", headers: this.#headers, body: text }));
    }
  }

  async #send(method: string, path: string, body: Record<string, unknown>): Promise<unknown> {
    const headers = { ...this.#headers, "content-type": "application/json" };
    const url = `${this.#url}/api/2.0/mlflow/${path}`;
    const answer = await fetch(url, { method, headers, body: JSON.stringify(body) });
    await expectSuccess(answer);
    return await answer.json();
  }
}

async function expectSuccess(answer: Response): Promise<void> {
  if (answer.ok) return;
  throw new SeedError(`MLflow answered ${answer.status} to ${answer.url}: ${await answer.text()}`);
}

class SeedError extends Error {}
