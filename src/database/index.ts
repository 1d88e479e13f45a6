import type pg from "pg";
import type { KeptLooksReader } from "../agents/model_deployer/ports/stores/kept_looks_reader.ts";
import type { Database } from "../agents/model_deployer/ports/parts.ts";
import type { Principals } from "../agents/model_deployer/ports/stores/approval_stores.ts";
import type { IngressPolicies } from "../agents/model_deployer/ports/ingress_ports.ts";
import { migrate, type InstallationKind, type MigrationResult } from "./migrate.ts";
import { createPool, SqlDatabase, type PoolOptions } from "./connection/pool.ts";
import { PostgresKeepingFacts } from "./keeping/needed_versions.ts";
import { PostgresRehearsals } from "./keeping/rehearsals.ts";
import { PostgresOldRows } from "./keeping/old_rows.ts";
import { APP_ROLE, readRights, type Rights } from "./rights.ts";
import { PostgresApprovals } from "./repositories/journal/approvals.ts";
import { PostgresClock } from "./repositories/database_clock.ts";
import { PostgresEndpoints } from "./repositories/endpoints.ts";
import { type Figures, readFigures } from "./repositories/reading/worker_figures.ts";
import { PostgresKeptRows } from "./repositories/evidence/kept_row_store.ts";
import { PostgresKeptLooks } from "./repositories/reading/kept_looks.ts";
import { PostgresEndpointSummaries } from "./repositories/reading/endpoint_summaries.ts";
import { PostgresOperationRecords } from "./repositories/reading/operation_records.ts";
import { PostgresMarks } from "./repositories/reading/marks.ts";
import { PostgresHistory } from "./repositories/reading/history.ts";
import { PostgresLeases } from "./repositories/journal/leases.ts";
import { MLDeploymentRepository } from "./repositories/ml_deployment.ts";
import { MLExperimentRepository } from "./repositories/ml_experiment.ts";
import { MLModelRegistryRepository } from "./repositories/ml_model_registry.ts";
import { PostgresOperationReader } from "./repositories/journal/operation_reader.ts";
import { OperationsJournal } from "./repositories/journal/operations_journal.ts";
import { PostgresIngressPolicies } from "./repositories/ingress_policies.ts";
import { PostgresNotificationSinks } from "./repositories/kept_sinks.ts";
import { PostgresNotifications } from "./repositories/journal/notifications.ts";
import { PostgresOutcomes } from "./repositories/evidence/outcome_store.ts";
import { PostgresOutbox } from "./repositories/journal/outbox.ts";
import { PostgresOverview, PostgresWorkers } from "./repositories/reading/overview.ts";
import { PostgresAuditTrail } from "./repositories/reading/audit_trail.ts";
import { PostgresAccess } from "./repositories/people/access.ts";
import { PostgresLogins } from "./repositories/people/logins.ts";
import { PostgresAnsweredRequests } from "./repositories/journal/answered_requests.ts";
import { PostgresSignIns } from "./repositories/people/sign_ins.ts";
import { PostgresPrincipalAdministration } from "./repositories/people/principal_administration.ts";
import { PostgresPrincipals } from "./repositories/people/principals.ts";
import { PostgresReconciliation } from "./repositories/reading/reconciliation.ts";
import { PostgresRollbackFacts } from "./repositories/reading/rollback_facts.ts";
import { PostgresRollouts } from "./repositories/rollouts.ts";
import { PostgresShadowComparisons } from "./repositories/evidence/shadow_comparisons.ts";
import { PostgresShadowEvidence } from "./repositories/evidence/shadow_evidence.ts";

/** The agent's stores, and what people, the worker and the API read and administer beside them. */
export interface DeployerDatabase extends Database {
  principals: Principals;
  principalAdministration: PostgresPrincipalAdministration;
  logins: PostgresLogins;
  signIns: PostgresSignIns;
  answeredRequests: PostgresAnsweredRequests;
  auditTrail: PostgresAuditTrail;
  sinks: PostgresNotificationSinks;
  ingressPolicies: IngressPolicies;
  keptLooks: KeptLooksReader;
  overview: PostgresOverview;
  summaries: PostgresEndpointSummaries;
  marks: PostgresMarks;
  operationRecords: PostgresOperationRecords;
  workers: PostgresWorkers;
  /** Versions, bentos and artifacts that must stay on disk, whatever their age. */
  keeping: PostgresKeepingFacts;
  oldRows: PostgresOldRows;
  rehearsals: PostgresRehearsals;
  /** Figures of all workers together, for metrics. */
  figures(): Promise<Figures>;
  /** The role that statements run as, and whether it has more rights than it needs. */
  rights(): Promise<Rights>;
  /** Runs the migrations as the tables' owner. @throws ConfigurationError */
  migrate(options: { installation: InstallationKind | "existing" }): Promise<MigrationResult>;
  /** Waits for what is under way. Idempotent. */
  close(): Promise<void>;
}

export interface DatabaseParts {
  /** Connections for the deployer's statements. */
  pool: pg.Pool;
  /** Connections of the tables' owner, opened only for administration. */
  ownerPool: pg.Pool;
  /** Names this process instance (host, process id and start, say); it must differ between any two that run. */
  holder: string;
  statementTimeoutMs?: number | undefined;
  /** Frees space on the server's disk where that is the home's; true when there may be some now. */
  makeRoom?: (() => boolean) | undefined;
}

/**
 * Everything over one Postgres; connects with the first query.
 * @throws ConfigurationError when the URL is no Postgres URL
 */
export function createDatabase({
  url,
  ownerUrl = url,
  pool = {},
  ...parts
}: Pick<DatabaseParts, "holder" | "makeRoom"> & {
  url: string;
  /** Of the tables' owner, for migrations and administration; `url` unless given. */
  ownerUrl?: string;
  pool?: PoolOptions;
}): DeployerDatabase {
  return databaseOver({
    ...parts,
    pool: createPool(url, pool),
    ownerPool: createPool(ownerUrl, { ...pool, maximumConnections: 1 }),
    statementTimeoutMs: pool.statementTimeoutMs,
  });
}

/** Everything over pools of one's own, which `close` ends. */
export function databaseOver(parts: DatabaseParts): DeployerDatabase {
  const { holder, statementTimeoutMs, makeRoom } = parts;
  const limits = statementTimeoutMs === undefined ? {} : { statementTimeoutMs };
  const database = new SqlDatabase(parts.pool, { ...limits, role: APP_ROLE, ...(makeRoom && { makeRoom }) });
  const owner = new SqlDatabase(parts.ownerPool, limits);
  return {
    journal: new OperationsJournal(database),
    operations: new PostgresOperationReader(database),
    leases: new PostgresLeases(database, holder),
    modelVersions: new MLModelRegistryRepository(database),
    deployments: new MLDeploymentRepository(database),
    experiments: new MLExperimentRepository(database, owner),
    endpoints: new PostgresEndpoints(database),
    rollouts: new PostgresRollouts(database),
    rollbackFacts: new PostgresRollbackFacts(database),
    reconciliation: new PostgresReconciliation(database),
    shadowEvidence: new PostgresShadowEvidence(database),
    shadowComparisons: new PostgresShadowComparisons(database),
    approvals: new PostgresApprovals(database),
    principals: new PostgresPrincipals(database, owner),
    access: new PostgresAccess(database),
    principalAdministration: new PostgresPrincipalAdministration(database, owner),
    logins: new PostgresLogins(owner),
    signIns: new PostgresSignIns(owner),
    answeredRequests: new PostgresAnsweredRequests(database),
    auditTrail: new PostgresAuditTrail(database),
    history: new PostgresHistory(database),
    outbox: new PostgresOutbox(database),
    notifications: new PostgresNotifications(database),
    sinks: new PostgresNotificationSinks(database, owner),
    outcomes: new PostgresOutcomes(database),
    keptRows: new PostgresKeptRows(database),
    ingressPolicies: new PostgresIngressPolicies(database, owner),
    clock: new PostgresClock(database),
    keptLooks: new PostgresKeptLooks(database),
    overview: new PostgresOverview(database),
    summaries: new PostgresEndpointSummaries(database),
    marks: new PostgresMarks(database),
    operationRecords: new PostgresOperationRecords(database),
    workers: new PostgresWorkers(database, holder),
    keeping: new PostgresKeepingFacts(database),
    oldRows: new PostgresOldRows(database),
    rehearsals: new PostgresRehearsals(database),
    figures: () => readFigures(database),
    rights: () => readRights(database),
    migrate: (migrateOptions) => migrate(owner, migrateOptions),
    close: async () => void (await Promise.all([database.close(), owner.close()])),
  };
}

export { SqlDatabase, type PoolOptions } from "./connection/pool.ts";
export { migrate, type InstallationKind, type MigrationResult } from "./migrate.ts";
export type { Rights } from "./rights.ts";
