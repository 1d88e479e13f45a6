import type { ModelVersion, Endpoint, Deployment } from "../../domain/entities.ts";
import type { GatePolicy } from "../../domain/models/gate_policy.ts";
import type { InstalledEngines } from "../../domain/servers/engines.ts";
import type { Rollout } from "../../domain/traffic/rollout.ts";
import type { VersionFigures } from "../../domain/evidence/figures.ts";
import type { EndedFacts } from "../rollback/ended_version.ts";
import type { VulnerabilityFacts } from "../../domain/models/known_vulnerabilities.ts";
import type { OtherPython } from "../../domain/servers/other_python.ts";
import type { Experience } from "./caution.ts";

export interface WarmServer {
  id: string;
  /** Predictions wait in its queue, or have been under way for too long, or one of its servers does not answer. */
  is_behind: boolean;
  /** Whether a start corrects its number of servers; otherwise its engine does. */
  is_counted: boolean;
}

export interface DeployFacts {
  version: ModelVersion | null;
  /** The endpoint that the target stage is served at; null until its first deployment. */
  endpoint: Endpoint | null;
  /** Deployments of that endpoint, newest first. */
  deployments: Deployment[];
  /** Ids of those that were aborted or superseded within the last hour. */
  aborted: string[];
  /** Those of the same version whose servers answer and may be put to this use: ended ones, and its shadow. */
  still_warm: WarmServer[];
  open_rollout: Rollout | null;
  /** The router's figures of the endpoint's deployments; null when it gave no answer. */
  figures: VersionFigures[] | null;
  policy: GatePolicy;
  /** Experience of the version's model family; null when the memory gave no answer. */
  experience: Experience | null;
  /** The version that answers callers at production now; null where none does. */
  serves_now: ModelVersion | null;
  /** How long a replaced production deployment stays warm. */
  retention_seconds: number;
  /** Why the metrics that the rollout would be judged by cannot be asked for; null where they can. */
  metrics_problem: string | null;
  ended: EndedFacts;
  /** The Python of a version that is packaged, and the one that serves it, where they differ; else null. */
  other_python: OtherPython | null;
  engines: InstalledEngines;
  /** Whether a policy says who may call an endpoint that was never open; nobody asks about one that was. */
  is_guarded: boolean;
  /** Known vulnerabilities of the version's packages. */
  vulnerabilities: VulnerabilityFacts;
}
