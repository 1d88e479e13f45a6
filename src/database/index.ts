import type {
  Approvals,
  DatabaseClock,
  Deployments,
  Endpoints,
  Experiments,
  History,
  Leases,
  ModelVersions,
  OperationJournal,
  OperationReader,
  Outbox,
  Principals,
  Reconciliation,
  RollbackFactsReader,
  Rollouts,
  ShadowComparisonStore,
  ShadowEvidenceStore,
} from "../agents/model_deployer/store_ports.ts";
import { migrate, type InstallationKind, type MigrationResult } from "./migrate.ts";
import { Database, type PoolOptions } from "./pool.ts";
import { APP_ROLE, readRights, type Rights } from "./rights.ts";
import { PostgresApprovals } from "./repositories/approvals.ts";
import { PostgresClock } from "./repositories/database_clock.ts";
import { PostgresEndpoints } from "./repositories/endpoints.ts";
import { type Figures, readFigures } from "./repositories/figures.ts";
import { PostgresHistory } from "./repositories/history.ts";
import { PostgresLeases } from "./repositories/leases.ts";
import { MLDeploymentRepository } from "./repositories/ml_deployment.ts";
import { MLExperimentRepository } from "./repositories/ml_experiment.ts";
import { MLModelRegistryRepository } from "./repositories/ml_model_registry.ts";
import { PostgresOperationReader } from "./repositories/operation_reader.ts";
import { OperationsJournal } from "./repositories/operations_journal.ts";
import { PostgresOutbox } from "./repositories/outbox.ts";
import { PostgresOverview, PostgresWorkers } from "./repositories/overview.ts";
import { PostgresPrincipals } from "./repositories/principals.ts";
import { PostgresReconciliation } from "./repositories/reconciliation.ts";
import { PostgresRollbackFacts } from "./repositories/rollback_facts.ts";
import { PostgresRollouts } from "./repositories/rollouts.ts";
import { PostgresShadowComparisons } from "./repositories/shadow_comparisons.ts";
import { PostgresShadowEvidence } from "./repositories/shadow_evidence.ts";

export interface DeployerDatabase {
  journal: OperationJournal;
  operations: OperationReader;
  leases: Leases;
  modelVersions: ModelVersions;
  deployments: Deployments;
  experiments: Experiments;
  endpoints: Endpoints;
  rollouts: Rollouts;
  rollbackFacts: RollbackFactsReader;
  reconciliation: Reconciliation;
  shadowEvidence: ShadowEvidenceStore;
  shadowComparisons: ShadowComparisonStore;
  approvals: Approvals;
  principals: Principals;
  history: History;
  outbox: Outbox;
  clock: DatabaseClock;
  overview: PostgresOverview;
  workers: PostgresWorkers;
  /** For whoever watches the workers. */
  figures(): Promise<Figures>;
  /** What statements run as, and whether that is more than is needed. */
  rights(): Promise<Rights>;
  /** As the URL's own user, which owns the tables. @throws ConfigurationError */
  migrate(options: { installation: InstallationKind | "existing" }): Promise<MigrationResult>;
  /** Waits for what is under way. Idempotent. */
  close(): Promise<void>;
}

/**
 * Everything over one pool; connects with the first query.
 *
 * `holder` names this process instance (host, process id and start, say); it must differ between any two that run.
 * @throws ConfigurationError when the URL is no Postgres URL
 */
export function createDatabase(options: {
  url: string;
  holder: string;
  pool?: PoolOptions;
  /** Makes room on the server's disk, where that is the home's; true when there may be some now. */
  makeRoom?: (() => boolean) | undefined;
}): DeployerDatabase {
  const { url, pool, makeRoom } = options;
  const database = new Database(url, { ...pool, role: APP_ROLE, ...(makeRoom && { makeRoom }) });
  // Connects only where somebody administers.
  const owner = new Database(options.url, { ...options.pool, maximumConnections: 1 });
  return {
    journal: new OperationsJournal(database),
    operations: new PostgresOperationReader(database),
    leases: new PostgresLeases(database, options.holder),
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
    history: new PostgresHistory(database),
    outbox: new PostgresOutbox(database),
    clock: new PostgresClock(database),
    overview: new PostgresOverview(database),
    workers: new PostgresWorkers(database, options.holder),
    figures: () => readFigures(database),
    rights: () => readRights(database),
    migrate: (migrateOptions) => migrate(owner, migrateOptions),
    close: async () => {
      await Promise.all([database.close(), owner.close()]);
    },
  };
}

export { Database, type PoolOptions } from "./pool.ts";
export { migrate, type InstallationKind, type MigrationResult } from "./migrate.ts";
export type { Rights } from "./rights.ts";
