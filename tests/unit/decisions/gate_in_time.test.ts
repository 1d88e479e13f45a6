import { expect, test } from "vitest";
import { refuseUnmet } from "../../../src/agents/model_deployer/actions/promote/refused_gate.ts";
import type { ShadowEvidence } from "../../../src/agents/model_deployer/domain/entities.ts";
import {
  anExperiment,
  aPolicy,
  aVersion,
  someEvidence,
  NO_ENTRIES,
} from "../../support/given/given_facts.ts";

/** Whether a gate is refused as one that time alone may open. */
function passes(shadow: Partial<ShadowEvidence>): boolean {
  const facts = {
    ...{ version: aVersion(2), experiment: anExperiment(), policy: aPolicy(), production: null },
    shadow: someEvidence(shadow),
    vulnerabilities: NO_ENTRIES,
  };
  const decision = refuseUnmet(facts, "not yet", "2026-06-01T09:00:00Z");
  return decision.decision === "refusal" ? decision.refusal.passes : expect.fail("it is planned");
}

test("a latency that is not measured yet comes with the requests that are still to come", () => {
  expect(passes({ requests: 10, errors: 0, p99_ms: null })).toBe(true);
  expect(passes({ hours: 1, p99_ms: null })).toBe(true);
});

test("one that nobody measured although all requests are there, or that is too high, does not pass by waiting", () => {
  expect(passes({ p99_ms: null })).toBe(false);
  expect(passes({ requests: 10, errors: 0, p99_ms: 10_000 })).toBe(false);
});
