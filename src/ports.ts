/** What a part of one's own has to be: a registry, packager, server, router, memory, or a store of the truth. */
export type * from "./agents/model_deployer/ports.ts";
export type * from "./agents/model_deployer/store_ports.ts";
export type { Database, Parts, Settings } from "./agents/model_deployer/parts.ts";
/** The nouns that they speak in. */
export type { Change, ChangeOf } from "./agents/model_deployer/domain/changes.ts";
export type {
  Deployment,
  DeploymentStatus,
  Endpoint,
  Experiment,
  GatePolicy,
  Metrics,
  ModelVersion,
  Resources,
  ServedStage,
  ShadowEvidence,
  Stage,
  WeightSet,
} from "./agents/model_deployer/domain/entities.ts";
export type { Plan, Refusal, Step } from "./agents/model_deployer/domain/plan.ts";
export type { Rollout, Route, VersionFigures } from "./agents/model_deployer/domain/rollout.ts";
