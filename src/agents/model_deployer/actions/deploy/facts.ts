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
  /** Started under other settings than one that is started now. */
  is_outdated: boolean;
}

/** The version at staging, where it has all of that endpoint's traffic. */
export interface StagedVersion {
  endpoint: Endpoint;
  deployment: Deployment;
  /** Whether anybody has asked the endpoint; true where its router or the server's log do not tell. */
  is_asked: boolean;
}

export interface DeployFacts {
  version: ModelVersion | null;
  /** The endpoint that the target stage is served at; null until its first deployment. */
  endpoint: Endpoint | null;
  /** Deployments of that endpoint, newest first. */
  deployments: Deployment[];
  /** Ids of those that were aborted or superseded within the last hour. */
  aborted: string[];
  /** Those of the same version whose servers answer and may be put to this use: ended ones, its shadow, and at staging. */
  still_warm: WarmServer[];
  /** Null where the version does not serve staging, or is to be deployed there. */
  staged: StagedVersion | null;
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
