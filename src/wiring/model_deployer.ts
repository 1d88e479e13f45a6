import type { BaseCheckpointSaver } from "@langchain/langgraph";
import type { DeployerDatabase, InstallationKind } from "../database/index.ts";
import type { Telemetry, WorkerObservation } from "../telemetry/telemetry.ts";
import type { Worker } from "../worker/worker.ts";
import type { ModelDeployerAgent } from "../agents/model_deployer/agent.ts";
import type { Addresses } from "./settings/resolved_addresses.ts";
import type { BegunHome } from "./home/begun_home.ts";
import type { ModelDeployerGraph } from "../agents/model_deployer/graph.ts";
import type { Origin } from "../agents/model_deployer/domain/access/roles.ts";
import type { SecretKeeper } from "../agents/model_deployer/ports/notification_ports.ts";
import type { Parts, Settings } from "../agents/model_deployer/ports/parts.ts";
import type { CallOptions } from "../agents/model_deployer/ports/call_options.ts";
import type { Embedder, EpisodicMemory } from "../agents/model_deployer/ports/memory_ports.ts";
import type {
  RecordedOutcomes,
  ToldOutcome,
} from "../agents/model_deployer/domain/evidence/late_outcomes.ts";
import type { ReconciliationReport } from "../agents/model_deployer/reconciliation/reconciliation_report.ts";
import type { ResumeOptions, Resumption } from "../agents/model_deployer/operations/resume_operation.ts";

export interface ModelDeployerOptions {
  /** With one, a run that needs an approval waits by an interrupt; without one, a missing approval is an error. */
  checkpointer?: BaseCheckpointSaver;
  /**
   * The kind that a new database is marked as, once and for ever; `demo` alone admits shortened shadow gates. `existing`
   * takes the database as it is, and makes a new one a standard one.
   */
  installation?: InstallationKind | "existing";
  /** Gives episodes their embeddings; without one that column stays null and recall is by text. */
  embedder?: Embedder;
  /**
   * Does not wait for an embedded MLflow to answer; a message to it meanwhile is delivered later, and a question fails
   * as unavailable.
   */
  registryMayFollow?: boolean;
  /** How requests reach this deployer, as the audit trail names it; `library` unless given. */
  via?: Origin["via"];
  /** The home, where bringing it up has begun before. */
  begun?: BegunHome;
  /** Receives lines for people about work that takes long. */
  onProgress?: (line: string) => void;
  /** Called with the name of each service that this call starts in the home and that goes on when the process ends. */
  onBegun?: (service: string) => void;
}

export interface ModelDeployer {
  agent: ModelDeployerAgent;
  graph: ModelDeployerGraph;
  /**
   * Moves rollouts on, resumes interrupted operations, drains replaced servers; call `run` in one process or several.
   */
  worker: Worker;
  /** Brings MLflow, the router and the servers back to what the database says, and tells what differed. */
  reconcile(options: CallOptions): Promise<ReconciliationReport>;
  /** Carries one interrupted operation to its end, or undoes it, and says which. */
  resume(operationId: string, options: ResumeOptions): Promise<Resumption>;
  /**
   * Tells what turned out to be true of answered requests, by their `x-request-id`, in any order; the same again changes
   * nothing.
   * @throws InvalidRequestError | NotFoundError | ServiceUnavailableError
   */
  recordOutcomes(
    outcomes: readonly ToldOutcome[],
    options?: { endpoint_name?: string },
  ): Promise<RecordedOutcomes>;
  parts: Parts;
  /** The episodic memory of another agent of the pipeline, in the same service; `parts` has the deployer's own. */
  episodicMemoryOf(agentName: string): EpisodicMemory;
  settings: Settings;
  database: DeployerDatabase;
  /** Keeps what is secret of whom it tells. */
  secrets: SecretKeeper;
  telemetry: Telemetry;
  /**
   * Logs and counts what a worker does, and serves the metrics where a port is configured; `run` takes its `onTick`. Until
   * it is closed the logs of the home's routers and embedded services are kept within their bounds.
   */
  observeWorker(): Promise<WorkerObservation>;
  /** Sentences about parts that work with a restriction; empty where all is well. */
  degraded: string[];
  /** The addresses in use, embedded ones included. */
  addresses: Addresses;
  /** Closes connections; servers, routers and embedded services go on, for they outlive a process. */
  close(): Promise<void>;
}
