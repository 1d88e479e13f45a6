import { describe } from "vitest";
import { describeApprovals } from "./database/approvals_contract.ts";
import { describeShadowEvidence } from "./database/traffic/shadow_evidence_contract.ts";
import { describeDeployments } from "./database/deployments_contract.ts";
import { describeEngines } from "./database/engines_contract.ts";
import { describeExperiments } from "./database/experiments_contract.ts";
import { describeJournal } from "./database/journal_contract.ts";
import { describeJournalLeases } from "./database/journal_leases_contract.ts";
import { describeKeptLooks } from "./database/traffic/kept_looks_contract.ts";
import { describeLeases } from "./database/leases_contract.ts";
import { describeLifecycle } from "./database/lifecycle_contract.ts";
import { describeOutcomes } from "./database/traffic/outcomes_contract.ts";
import { describeRefusals } from "./database/refusals_contract.ts";
import { describeRollbackFacts } from "./database/traffic/rollback_facts_contract.ts";
import { describeOutbox } from "./database/traffic/outbox_contract.ts";
import { describeRollouts } from "./database/traffic/rollouts_contract.ts";
import { describeServerRestarts } from "./database/server_restarts_contract.ts";
import { describeShadowComparisons } from "./database/traffic/shadow_comparisons_contract.ts";
import { describeWaitingApprovals } from "./database/waiting_approvals_contract.ts";
import { describeTraffic } from "./database/traffic/traffic_contract.ts";
import { type PrepareDatabase, withExperiment } from "./database/harness.ts";

/** The contract of the deployer's database: all that it keeps, and all that it refuses. */
export function describeDatabase(name: string, prepare: PrepareDatabase): void {
  const open = withExperiment(prepare);
  describe(`database: ${name}`, () => {
    describe("approvals", () => {
      describeApprovals(open);
      describeWaitingApprovals(open);
    });
    describe("deployments", () => {
      describeDeployments(open);
      describeShadowEvidence(open);
    });
    describe("engines", () => {
      describeEngines(open);
    });
    describe("experiments", () => {
      describeExperiments(open);
    });
    describe("journal", () => {
      describeJournal(open);
    });
    describe("journal leases", () => {
      describeJournalLeases(open);
    });
    describe("leases", () => {
      describeLeases(open);
    });
    describe("lifecycle", () => {
      describeLifecycle(open);
    });
    describe("outcomes", () => {
      describeOutcomes(open);
    });
    describe("refusals", () => {
      describeRefusals(open);
    });
    describe("rollback facts", () => {
      describeRollbackFacts(open);
    });
    describe("kept looks", () => {
      describeKeptLooks(open);
    });
    describe("rollouts and outbox", () => {
      describeRollouts(open);
      describeOutbox(open);
    });
    describe("server restarts", () => {
      describeServerRestarts(open);
    });
    describe("shadow comparisons", () => {
      describeShadowComparisons(open);
    });
    describe("traffic", () => {
      describeTraffic(open);
    });
  });
}
