import type { Origin } from "../agents/model_deployer/domain/access/roles.ts";
import type { EndpointIngress } from "../agents/model_deployer/ports/ingress_ports.ts";
import type { TeamMetrics } from "../agents/model_deployer/ports/evidence/team_metrics_port.ts";
import type { NotificationSender, SecretKeeper } from "../agents/model_deployer/ports/notification_ports.ts";
import type { Parts, Settings } from "../agents/model_deployer/ports/parts.ts";
import type { ModelDeployerGraph } from "../agents/model_deployer/graph.ts";
import type { ResumeOptions, Resumption } from "../agents/model_deployer/operations/resume_operation.ts";
import type { ReconciliationReport } from "../agents/model_deployer/reconciliation/reconciliation_report.ts";
import type { DeployerDatabase } from "../database/index.ts";
import type { FewAtOnce } from "./few_at_once.ts";
import type { Vitals } from "../service/endpoints/endpoint_schemas.ts";
import type { DoctorReport } from "../service/machine/machine_schemas.ts";
import type { StatusSource } from "../service/status/gather_status.ts";

/** The deployer that an API stands before. */
export interface ServedDeployer {
  parts: Parts;
  settings: Settings;
  database: DeployerDatabase;
  secrets: SecretKeeper;
}

/** A deployer whose requests are one person's. */
export interface ActingDeployer {
  graph: ModelDeployerGraph;
  resume: (operationId: string, options: ResumeOptions) => Promise<Resumption>;
  deliver: (options: { signal: AbortSignal }) => Promise<string[]>;
  reconcile: (options: { signal: AbortSignal }) => Promise<ReconciliationReport>;
}

/** The parts that routes work with. */
export interface ApiParts {
  database: DeployerDatabase;
  episodicMemory: Parts["episodicMemory"];
  proceduralMemory: Parts["proceduralMemory"];
  predictionLogs: Parts["predictionLogs"];
  /** Undefined where nothing measures servers. */
  serverUsage: Parts["serverUsage"];
  /** Undefined where no engine keeps rows. */
  rowServers: Parts["rowServers"];
  /** Refuses one replay too many, since many at once would load what serves. */
  replays: FewAtOnce;
  statusSource: StatusSource;
  /** Null where the router lets everybody in. */
  ingress: EndpointIngress | null;
  /** The engines that the deployer has. */
  engines: Settings["engines"];
  secrets: SecretKeeper;
  /** The packages of a bento, by its tag; null where no such bento is on the machine that serves. */
  listPackages: Parts["packager"]["listPackages"];
  /** Undefined where nobody brought entries of known ones. */
  vulnerabilities: Parts["vulnerabilities"];
  /** Null where no server of metrics is configured. */
  teamMetrics: TeamMetrics | null;
  /** Undefined where nobody looks at the machine that serves. */
  examine: (() => Promise<DoctorReport>) | undefined;
  /** Undefined where nobody is told of anything. */
  notificationSender: NotificationSender | undefined;
  /** The last vital signs that were read of an endpoint. */
  vitalsOf: (endpointName: string) => Vitals;
  /** Looks at all endpoints, unless that was done some seconds ago. */
  refreshVitals: () => Promise<void>;
  actingAs: (caller: { principal: string; origin: Origin }) => ActingDeployer;
}
