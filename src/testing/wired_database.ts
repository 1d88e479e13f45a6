import type { Database } from "../agents/model_deployer/ports/parts.ts";
import type { Wire } from "./wire.ts";

/** The stores by their names, `journal.claim` and so on; only those named are wired where some are. */
export function wiredDatabase(database: Database, wire: Wire, only?: readonly (keyof Database)[]): Database {
  const around = <K extends keyof Database>(name: K): Database[K] => {
    const store = database[name];
    const isWired = only === undefined || only.includes(name);
    return isWired ? wire.around(name, store) : store;
  };
  return {
    journal: around("journal"),
    operations: around("operations"),
    leases: around("leases"),
    modelVersions: around("modelVersions"),
    deployments: around("deployments"),
    experiments: around("experiments"),
    endpoints: around("endpoints"),
    rollouts: around("rollouts"),
    rollbackFacts: around("rollbackFacts"),
    shadowEvidence: around("shadowEvidence"),
    approvals: around("approvals"),
    access: around("access"),
    history: around("history"),
    outbox: around("outbox"),
    notifications: around("notifications"),
    outcomes: around("outcomes"),
    keptRows: around("keptRows"),
    ingressPolicies: around("ingressPolicies"),
    clock: around("clock"),
    reconciliation: around("reconciliation"),
    shadowComparisons: around("shadowComparisons"),
  };
}
