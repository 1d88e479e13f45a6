import type {
  ModelVersion,
  Experiment,
  ShadowEvidence,
  Endpoint,
  Deployment,
} from "../../domain/entities.ts";
import type { GatePolicy } from "../../domain/models/gate_policy.ts";
import type { VulnerabilityFacts } from "../../domain/models/known_vulnerabilities.ts";
import type { Rollout } from "../../domain/traffic/rollout.ts";
import type { LiveFigures } from "../../judge/counts/live_figures.ts";
import type { EndedFacts } from "../rollback/ended_version.ts";
import type { RollbackFacts } from "../rollback/facts.ts";

export interface PromoteFacts {
  version: ModelVersion | null;
  experiment: Experiment | null;
  policy: GatePolicy;
  shadow: ShadowEvidence | null;
  /** The version that is at production now. */
  production: ModelVersion | null;
  /** The endpoint that callers of this experiment use. */
  endpoint: Endpoint | null;
  /** Deployments that have weight on the endpoint now, each with its version. */
  serving: { deployment: Deployment; version: ModelVersion }[];
  open_rollout: Rollout | null;
  /** The way back from the open rollout's candidate; null without one. */
  way_back: RollbackFacts | null;
  /** Figures of the deployment that an archival takes the traffic from; read for no other move. */
  live: LiveFigures;
  ended: EndedFacts;
  /** Known vulnerabilities of the version's packages, read for a promotion to production. */
  vulnerabilities: VulnerabilityFacts;
  /** Why shadow figures could not be read; the stored evidence counts then. */
  notes: string[];
}
