import { describe } from "vitest";
import { describeApprovals } from "./database/approvals.ts";
import { describeDeployments } from "./database/deployments.ts";
import { describeExperiments } from "./database/experiments.ts";
import { describeJournal } from "./database/journal.ts";
import { describeJournalLeases } from "./database/journal_leases.ts";
import { describeLeases } from "./database/leases.ts";
import { describeLifecycle } from "./database/lifecycle.ts";
import { describeRefusals } from "./database/refusals.ts";
import { describeRollbackFacts } from "./database/rollback_facts.ts";
import { describeRolloutsAndOutbox } from "./database/rollouts_and_outbox.ts";
import { describeServerRestarts } from "./database/server_restarts.ts";
import { describeShadowComparisons } from "./database/shadow_comparisons.ts";
import { describeTraffic } from "./database/traffic.ts";
import { type PrepareDatabase, withExperiment } from "./database/harness.ts";

/** What every database of the deployer keeps to, and what it refuses. */
export function describeDatabase(name: string, prepare: PrepareDatabase): void {
  const open = withExperiment(prepare);
  describe(`database: ${name}`, () => {
    describe("approvals", () => {
      describeApprovals(open);
    });
    describe("deployments", () => {
      describeDeployments(open);
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
    describe("refusals", () => {
      describeRefusals(open);
    });
    describe("rollback facts", () => {
      describeRollbackFacts(open);
    });
    describe("rollouts and outbox", () => {
      describeRolloutsAndOutbox(open);
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
