import type { ModelSignature } from "../../domain/models/model_signature.ts";
import type { Experiment, Metrics, ModelVersion } from "../../domain/entities.ts";
import type { GatePolicy } from "../../domain/models/gate_policy.ts";

export interface RegisterFacts {
  experiment: Experiment | null;
  policy: GatePolicy;
  /** Null when it was not read, because the other facts decide already. */
  run: Run | null;
  /** The last version that this run was registered as before. */
  registered_before: ModelVersion | null;
  /** The version that the trainer has registered already, where the request names one. */
  given_version: { model_name: string; version: number; source: string; run_id: string } | null;
  /** The version that is at production now, for its features to be compared with. */
  production: ModelVersion | null;
}

export interface Run {
  run_id: string;
  status: "running" | "finished" | "failed";
  metrics: Metrics;
  unusable_metrics: string[];
  algorithm: string | null;
  /** Of the files that would be registered. */
  signature: ModelSignature | null;
}
