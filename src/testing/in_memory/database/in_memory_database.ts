import type { Database } from "../../../agents/model_deployer/parts.ts";
import type { Principals } from "../../../agents/model_deployer/store_ports.ts";
import { TestClock } from "../../clock.ts";
import { InMemoryApprovals, InMemoryPrincipals } from "./stores/approvals.ts";
import { InMemoryDeployments, InMemoryShadowEvidence } from "./stores/deployments.ts";
import { InMemoryExperiments } from "./stores/experiments.ts";
import { InMemoryOperationJournal } from "./stores/journal.ts";
import { InMemoryLeases } from "./stores/leases.ts";
import { InMemoryOperationReader } from "./stores/operation_reader.ts";
import { InMemoryOutbox } from "./stores/outbox.ts";
import {
  InMemoryDatabaseClock,
  InMemoryEndpoints,
  InMemoryHistory,
  InMemoryModelVersions,
  InMemoryRollbackFacts,
} from "./stores/readers.ts";
import { InMemoryReconciliation } from "./stores/reconciliation.ts";
import { InMemoryRollouts } from "./stores/rollouts.ts";
import { InMemoryShadowComparisons } from "./stores/shadow_comparisons.ts";
import { Tables } from "./tables.ts";

/** The stores of the truth, and who may approve. */
export interface TestDatabase extends Database {
  principals: Principals;
}

export interface InMemoryDatabase extends TestDatabase {
  /** As another process sees the same database: only the name under which it takes leases differs. */
  asProcess(holder: string): InMemoryDatabase;
}

/**
 * A database in memory. It refuses what Postgres and its migrations refuse, with the same errors, and applies each
 * transaction whole or not at all; it knows no raw SQL and keeps nothing.
 *
 * @param options.installation only a `demo` takes demo policies, as in Postgres
 */
export function createInMemoryDatabase(
  options: { clock?: TestClock; installation?: "standard" | "demo"; holder?: string } = {},
): InMemoryDatabase {
  const { clock = new TestClock(), installation = "standard", holder = "test-process" } = options;
  return over(new Tables({ clock, installation }), holder);
}

function over(tables: Tables, holder: string): InMemoryDatabase {
  const principals = new InMemoryPrincipals(tables);
  return {
    journal: new InMemoryOperationJournal(tables),
    operations: new InMemoryOperationReader(tables),
    leases: new InMemoryLeases(tables, holder),
    modelVersions: new InMemoryModelVersions(tables),
    deployments: new InMemoryDeployments(tables),
    experiments: new InMemoryExperiments(tables),
    endpoints: new InMemoryEndpoints(tables),
    rollouts: new InMemoryRollouts(tables),
    rollbackFacts: new InMemoryRollbackFacts(tables),
    reconciliation: new InMemoryReconciliation(tables),
    shadowEvidence: new InMemoryShadowEvidence(tables),
    shadowComparisons: new InMemoryShadowComparisons(tables),
    approvals: new InMemoryApprovals(tables, principals),
    principals,
    history: new InMemoryHistory(tables),
    outbox: new InMemoryOutbox(tables),
    clock: new InMemoryDatabaseClock(tables),
    asProcess: (another) => over(tables, another),
  };
}
