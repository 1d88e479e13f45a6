/** The ports: the interfaces of a registry, packager, server, router, memory and of the database's stores. */
export type * from "./agents/model_deployer/ports/call_options.ts";
export type * from "./agents/model_deployer/ports/model_server_port.ts";
export type * from "./agents/model_deployer/ports/model_registry_port.ts";
export type * from "./agents/model_deployer/ports/model_packager_port.ts";
export type * from "./agents/model_deployer/ports/traffic_router_port.ts";
export type * from "./agents/model_deployer/ports/evidence/prediction_logs_port.ts";
export type * from "./agents/model_deployer/ports/evidence/team_metrics_port.ts";
export type * from "./agents/model_deployer/ports/memory_ports.ts";
export type * from "./agents/model_deployer/ports/evidence/outcome_ports.ts";
export type * from "./agents/model_deployer/ports/evidence/row_ports.ts";
export type * from "./agents/model_deployer/ports/stores/operation_stores.ts";
export type * from "./agents/model_deployer/ports/stores/entity_stores.ts";
export type * from "./agents/model_deployer/ports/stores/approval_stores.ts";
export type * from "./agents/model_deployer/ports/stores/history_store.ts";
export type { Database, Parts, Settings } from "./agents/model_deployer/ports/parts.ts";
/** The types that the ports' methods take and return. */
export type { Change, ChangeOf } from "./agents/model_deployer/domain/changes.ts";
export type {
  Deployment,
  DeploymentStatus,
  Endpoint,
  Experiment,
  Metrics,
  ModelVersion,
  Resources,
  ServedStage,
  ShadowEvidence,
  Stage,
  WeightSet,
} from "./agents/model_deployer/domain/entities.ts";
export type { GatePolicy } from "./agents/model_deployer/domain/models/gate_policy.ts";
export type { Plan, Refusal, Step } from "./agents/model_deployer/domain/plan.ts";
export type { MetricReading } from "./agents/model_deployer/domain/evidence/team_metrics.ts";
export type { VersionFigures } from "./agents/model_deployer/domain/evidence/figures.ts";
export type { Rollout, Route } from "./agents/model_deployer/domain/traffic/rollout.ts";
