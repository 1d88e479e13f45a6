import { z } from "zod";
import { NotFoundError } from "../../agents/model_deployer/errors.ts";
import type { TrainedRun } from "../../agents/model_deployer/ports/model_registry_port.ts";
import { storedPath } from "./artifacts/artifact_locator.ts";
import { readText, type MLflowLoggedModel, type MLflowRun } from "./mlflow_answers.ts";
import type { MLflowClient } from "./mlflow_client.ts";
import { orNullWhenMissing } from "./mlflow_errors.ts";
import { DESCRIPTION_FILE, flavorsOf } from "./model_description.ts";
import { parsedJson } from "../../platform/parsed_json.ts";

/** MLflow's SQL stores keep an infinity as the largest double. */
const LARGEST = Number.MAX_VALUE;

const STATUSES = {
  RUNNING: "running",
  SCHEDULED: "running",
  FINISHED: "finished",
  FAILED: "failed",
  KILLED: "failed",
} as const;

/** The run's tag in which MLflow 2 records each model that it logs. */
const logHistorySchema = z.array(z.object({ flavors: z.record(z.string(), z.unknown()).default({}) }));
const LOG_HISTORY_TAG = "mlflow.log-model.history";

/** @throws NotFoundError for a deleted run */
export async function describeRun(
  client: MLflowClient,
  runId: string,
  signal: AbortSignal,
): Promise<Omit<TrainedRun, "signature">> {
  const run = await client.getRun(runId, signal);
  if (run.info.lifecycle_stage === "deleted") {
    throw new NotFoundError(`Run ${runId} is deleted in MLflow; restore it there, or name another.`);
  }
  return {
    run_id: run.info.run_id,
    status: STATUSES[run.info.status],
    ...splitMetrics(run.data.metrics),
    algorithm: algorithmFromTags(run) ?? (await algorithmFromModels(client, run, signal)),
  };
}

export function splitMetrics(
  values: MLflowRun["data"]["metrics"],
): Pick<TrainedRun, "metrics" | "unusable_metrics"> {
  const usable: [string, number][] = [];
  const unusable: string[] = [];
  for (const { key, value } of values) {
    // `__proto__` would not survive as a key of a plain object.
    if (typeof value === "number" && Math.abs(value) < LARGEST && key !== "__proto__")
      usable.push([key, value]);
    else unusable.push(key);
  }
  return { metrics: Object.fromEntries(usable), unusable_metrics: unusable.sort() };
}

function algorithmFromTags(run: MLflowRun): string | null {
  const history = run.data.tags.find(({ key }) => key === LOG_HISTORY_TAG)?.value;
  if (history === undefined) return null;
  const parsed = logHistorySchema.safeParse(parsedJson(history));
  const last = parsed.success ? parsed.data.at(-1) : undefined;
  return last === undefined ? null : mainFlavor(Object.keys(last.flavors));
}

/** Since MLflow 3 the flavors stand only in the `MLmodel` file of the models that the run has logged. */
async function algorithmFromModels(
  client: MLflowClient,
  run: MLflowRun,
  signal: AbortSignal,
): Promise<string | null> {
  const models: MLflowLoggedModel[] = [];
  for (const { model_id } of run.outputs.model_outputs) {
    const model = await orNullWhenMissing(client.getLoggedModel(model_id, signal));
    if (model !== null && model.artifact_uri.startsWith("mlflow-artifacts:")) models.push(model);
  }
  const newest = models.sort((a, b) => b.creation_timestamp_ms - a.creation_timestamp_ms)[0];
  if (newest === undefined) return null;
  const path = `${storedPath(`models:/${newest.model_id}`, newest.artifact_uri)}/${DESCRIPTION_FILE}`;
  const description = await orNullWhenMissing(client.readArtifact(path, readText, signal));
  return description === null ? null : mainFlavor(flavorsOf(description));
}

/** `python_function` wraps every kind of model and says nothing about it. */
function mainFlavor(flavors: string[]): string | null {
  return flavors.find((flavor) => flavor !== "python_function") ?? null;
}
