import { expect, test } from "vitest";
import { decidePromote } from "../../../src/agents/model_deployer/actions/promote/decide.ts";
import { type PromoteFacts } from "../../../src/agents/model_deployer/actions/promote/facts.ts";
import type { PromoteRequest } from "../../../src/agents/model_deployer/domain/requests.ts";
import {
  announcementsOf,
  changesOf,
  movesOf,
  planOf,
  refusalOf,
  statusesOf,
  stepsOf,
} from "../../support/decisions/decided.ts";
import {
  aDeployment,
  anEndpoint,
  anExperiment,
  aPolicy,
  aRollout,
  aVersion,
  context,
  someEvidence,
  NO_ENTRIES,
} from "../../support/given/given_facts.ts";

const inShadow = aVersion(2, { stage: "shadow", stage_revision: 2 });

function decide(request: Partial<PromoteRequest> = {}, facts: Partial<PromoteFacts> = {}) {
  const asked: PromoteRequest = {
    action: "promote",
    model_version_id: "mv_2",
    target_stage: "production",
    current_stage: null,
    promotion_reason: "better",
    ...request,
  };
  const known: PromoteFacts = {
    version: inShadow,
    experiment: anExperiment(),
    policy: aPolicy(),
    shadow: someEvidence(),
    vulnerabilities: NO_ENTRIES,
    production: null,
    endpoint: anEndpoint(),
    serving: [],
    open_rollout: null,
    way_back: null,
    live: { figures: [] },
    ended: { ways: null, last_rollout: null },
    notes: [],
    ...facts,
  };
  return decidePromote(asked, known, context);
}

test("to staging: one move, no approval, under the version's own lease", () => {
  const version = aVersion(2, { stage: "development", stage_revision: 0 });
  const plan = planOf(decide({ target_stage: "staging" }, { version, shadow: null }));
  expect(plan).toMatchObject({ approvals_needed: 0, lease_name: "version/mv_2", steps: [] });
  expect(movesOf(plan)).toEqual(["mv_2: development > staging (promotion)"]);
  expect(plan.draft.version_record).toMatchObject({
    previous_stage: "development",
    current_stage: "staging",
    promoted_by: "ana",
    promotion_reason: "better",
    metrics_at_promotion: version.metrics,
  });
});

test("to production: an approval, the endpoint's lease and generation, and the evidence in the history", () => {
  const plan = planOf(decide());
  expect(plan).toMatchObject({ approvals_needed: 1, lease_name: "e2i_remission", generation: 7 });
  expect(movesOf(plan)).toEqual(["mv_2: shadow > production (promotion)"]);
  expect(changesOf(plan.on_success, "set_stage")[0]).toMatchObject({
    expected_revision: 2,
    changed_by: "ana",
    evidence: { gate_policy: { policy_id: "standard" }, shadow: { hours: 24, requests: 1000 } },
  });
});

test("the version before it is superseded first, and both are announced", () => {
  const plan = planOf(decide({}, { production: aVersion(1) }));
  expect(movesOf(plan)).toEqual([
    "mv_1: production > archived (supersession)",
    "mv_2: shadow > production (promotion)",
  ]);
  expect(changesOf(plan.on_success, "set_stage")[0]?.reason).toBe("superseded by mv_2");
  expect(announcementsOf(plan)).toEqual([
    "registry_projection op_new:registry:mv_1",
    "registry_projection op_new:registry:mv_2",
    "episodic_memory op_new:episode:promotion",
    "procedural_memory op_new:procedure:promote_shadow_to_production",
  ]);
});

test("a demo policy that let it through is said in the notes", () => {
  const policy = aPolicy({ policy_id: "p1", kind: "demo", reason: "a show" });
  const plan = planOf(decide({}, { policy, notes: ["figures are old"] }));
  expect(plan.notes).toEqual(["figures are old", "Demo gate policy p1 is in force: a show."]);
  expect(plan.draft.notes).toEqual(plan.notes);
});

test("a refused gate lists every criterion, as data and in the sentence", () => {
  const refusal = refusalOf(decide({}, { shadow: someEvidence({ hours: 23, requests: 10, errors: 0 }) }));
  expect(refusal.code).toBe("production_criteria_not_met");
  expect(refusal.unmet.map((one) => one.criterion)).toEqual(["shadow_hours", "shadow_requests"]);
  for (const one of refusal.unmet) expect(refusal.sentence).toContain(one.sentence);
});

test.each<[string, Partial<PromoteRequest>, Partial<PromoteFacts>, string, RegExp]>([
  ["an unknown version", {}, { version: null }, "not_found", /mv_2 does not exist: register it first/],
  ["an unknown experiment", {}, { experiment: null }, "not_found", /remission does not exist/],
  [
    "a stage that the caller is wrong about",
    { current_stage: "staging" },
    {},
    "conflict",
    /is at shadow, not at staging/,
  ],
  ["a skipped stage", { target_stage: "archived" }, {}, "invalid_promotion_path", /from shadow to archived/],
])("%s is refused", (_what, request, facts, code, sentence) => {
  const refusal = refusalOf(decide(request, facts));
  expect(refusal.code).toBe(code);
  expect(refusal.sentence).toMatch(sentence);
});

const first = aVersion(1, { stage: "archived", stage_revision: 4 });
const second = aVersion(2, { stage: "production" });
const archive = (facts: Partial<PromoteFacts>) =>
  decide({ target_stage: "archived" }, { version: second, production: second, ...facts });

test("archiving what serves takes its traffic away, closes the endpoint and stops its server", () => {
  const serving = [{ deployment: aDeployment(2), version: second }];
  const plan = planOf(archive({ serving, endpoint: anEndpoint({ weights: { d2: 100 } }) }));
  expect(movesOf(plan)).toEqual(["mv_2: production > archived (archival)"]);
  expect(stepsOf(plan)).toEqual(["want_route", "apply_route", "close_endpoint"]);
  expect(plan.steps[0]?.do).toMatchObject({ weights: {}, expected_generation: 7 });
  expect(statusesOf(plan.on_success)).toEqual(["d2: active|deploying > draining (0)"]);
  expect(plan.approvals_needed).toBe(1);
});

test("an endpoint that still mirrors to a shadow stays open", () => {
  const serving = [{ deployment: aDeployment(2), version: second }];
  const endpoint = anEndpoint({ weights: { d2: 100 }, mirror_deployment_id: "d3" });
  expect(stepsOf(planOf(archive({ serving, endpoint })))).toEqual(["want_route", "apply_route"]);
});

test("withdrawing a version that was never deployed puts the one that still serves back to production", () => {
  const plan = planOf(archive({ serving: [{ deployment: aDeployment(1), version: first }] }));
  expect(plan.steps).toEqual([]);
  expect(movesOf(plan)).toEqual([
    "mv_2: production > archived (archival)",
    "mv_1: archived > production (rollback)",
  ]);
  expect(plan.draft.version_record).toMatchObject({ model_version_id: "mv_2", current_stage: "archived" });
  expect(plan.summary).toContain("mv_1 is at production again");
});

test("without an endpoint only the stage moves", () => {
  const plan = planOf(archive({ endpoint: null }));
  expect([plan.steps, plan.generation]).toEqual([[], 0]);
});

test.each(["archived", "production"] as const)("nothing moves to %s under a rollout", (target_stage) => {
  const stage = target_stage === "archived" ? "production" : "shadow";
  const version = aVersion(2, { stage, stage_revision: 3 });
  const refusal = refusalOf(decide({ target_stage }, { version, open_rollout: aRollout() }));
  expect(refusal.code).toBe("conflict");
  expect(refusal.sentence).toMatch(/rollout_2 of d2 is running.*roll d2 back/);
});
