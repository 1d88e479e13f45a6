import { createHash } from "node:crypto";
import type { TrainedRun } from "../../agents/model_deployer/ports/model_registry_port.ts";

/** File contents by path. */
export type Files = Record<string, string>;

export interface RunSeed {
  run_id: string;
  /** `finished` unless told. */
  status?: TrainedRun["status"];
  metrics?: Record<string, number>;
  algorithm?: string | null;
  /** Files in the run's own folder. */
  artifacts?: Files;
  /** Models that the run has logged, by name; they lie beside the run, as in MLflow 3. */
  models?: Record<string, Files>;
}

/** The id that a seeded model gets; stable, so that tests can name it. */
export function modelIdOf(runId: string, modelName: string): string {
  return `m-${createHash("sha256").update(`${runId}/${modelName}`).digest("hex").slice(0, 32)}`;
}

export const runRoot = (runId: string): string => `0/${runId}/artifacts`;
export const modelRoot = (modelId: string): string => `0/models/${modelId}/artifacts`;

export function describedRun(run: RunSeed): Omit<TrainedRun, "signature"> {
  const metrics = Object.entries(run.metrics ?? {});
  return {
    run_id: run.run_id,
    status: run.status ?? "finished",
    metrics: Object.fromEntries(metrics.filter(([, value]) => Number.isFinite(value))),
    unusable_metrics: metrics.flatMap(([name, value]) => (Number.isFinite(value) ? [] : [name])).sort(),
    algorithm: run.algorithm ?? null,
  };
}
