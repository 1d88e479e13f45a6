/** The package's front: the deployer, its graph and state, what other agents are built on, and the errors. */
export {
  AgentState,
  agentFailureSchema,
  agentStateFields,
  agentStatusSchema,
  type AgentFailure,
} from "./agents/base/agent_state.ts";
export { BaseAgent, type AgentRun, type AgentUpdate, type NodeUpdate } from "./agents/base/base_agent.ts";
export { RunMemory, type MemoryCall, type MemoryKind, type MemorySource } from "./agents/base/memory.ts";
export { SpanRecorder, spanSchema, type Span } from "./agents/base/spans.ts";
export { ModelDeployerAgent } from "./agents/model_deployer/agent.ts";
export {
  createCapabilities,
  type Capabilities,
  type CapabilitySource,
} from "./agents/model_deployer/capabilities.ts";
export { CheckedState } from "./agents/model_deployer/state/checked_state.ts";
export type { ModelDeployer, ModelDeployerOptions } from "./wiring/model_deployer.ts";
export {
  deploymentManifestSchema,
  versionRecordSchema,
  type DeploymentManifest,
  type VersionRecord,
} from "./agents/model_deployer/domain/answer.ts";
export { stageSchema, type Stage } from "./agents/model_deployer/domain/entities.ts";
export {
  createModelDeployerGraph,
  type GraphOptions,
  type ModelDeployerGraph,
} from "./agents/model_deployer/graph.ts";
export type {
  Finding,
  ReconciliationReport,
} from "./agents/model_deployer/reconciliation/reconciliation_report.ts";
export type {
  Outcome,
  RecordedOutcomes,
  ToldOutcome,
} from "./agents/model_deployer/domain/evidence/late_outcomes.ts";
export type { Resumption } from "./agents/model_deployer/operations/resume_operation.ts";
export type { Parts, Settings } from "./agents/model_deployer/ports/parts.ts";
export { neighbourFields, requestFields } from "./agents/model_deployer/state/request_fields.ts";
export {
  approvalQuestionSchema,
  contextSchema,
  ModelDeployerState,
  planViewSchema,
  progressSchema,
  requestStateSchema,
  type ApprovalQuestion,
  type ModelDeployerAnswer,
  type ModelDeployerRequest,
  type ModelDeployerStateValue,
  type ModelDeployerUpdate,
  type PlanView,
  type Progress,
} from "./agents/model_deployer/state/state.ts";
export {
  BestEffortCheckpoints,
  type BestEffortOptions,
  type CheckpointsChange,
} from "./pipeline/best_effort_checkpoints.ts";
export { createCheckpoints, type PostgresCheckpoints } from "./pipeline/checkpoints.ts";
export type { DeployerDatabase, InstallationKind, MigrationResult } from "./database/index.ts";
export type { MLflowAuth } from "./mlops/mlflow/mlflow_transport.ts";
export { readConfiguration, type Configuration } from "./wiring/settings/configuration.ts";
export * from "./errors.ts";
export {
  createLazyModelDeployer,
  createModelDeployer,
  type LazyModelDeployer,
} from "./wiring/lazy_model_deployer.ts";
export type { Telemetry, TelemetrySettings, WorkerObservation } from "./telemetry/telemetry.ts";
export type { TickReport } from "./worker/tick_report.ts";
export { Worker, type WorkerOptions } from "./worker/worker.ts";
