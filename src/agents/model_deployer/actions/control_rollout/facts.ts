import type { Deployment, Experiment, ModelVersion, ShadowEvidence } from "../../domain/entities.ts";
import type { GatePolicy } from "../../domain/models/gate_policy.ts";
import type { Rollout } from "../../domain/traffic/rollout.ts";
import type { DeployFacts } from "../deploy/facts.ts";
import type { RollbackFacts } from "../rollback/facts.ts";

export interface RetryFacts extends DeployFacts {
  rollout: Rollout | null;
  /** The deployment that the rollout gave traffic to. */
  candidate: Deployment | null;
  experiment: Experiment | null;
  /** The version at production now. */
  production: ModelVersion | null;
  /** The versions that came to production since the rollout ended, the first one first. */
  since: { model_version_id: string; occurred_at: string }[];
  /** The shadow's evidence at the version's last promotion to production. */
  shadow: ShadowEvidence | null;
}

export interface RolloutControlFacts extends RollbackFacts {
  /** The named rollout, or the endpoint's last one. */
  rollout: Rollout | null;
  /** Whether the candidate's server answers now, with the expected tag. */
  candidate_is_ready: boolean;
  policy: GatePolicy;
  retention_seconds: number;
}
