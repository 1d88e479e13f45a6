import { expect, test } from "vitest";
import type { RollbackFacts } from "../../../../src/agents/model_deployer/actions/rollback/facts.ts";
import { supersedeRollout } from "../../../../src/agents/model_deployer/actions/promote/supersede_rollout.ts";
import { changesOf, statusesOf } from "../../../support/decisions/decided.ts";
import { aDeployment, anEndpoint, aRollout, aVersion, context } from "../../../support/given/given_facts.ts";

const newer = aVersion(3, { stage: "shadow" });

function supersede(facts: Partial<RollbackFacts> = {}) {
  const known: RollbackFacts = {
    current: aDeployment(2, { status: "deploying" }),
    current_version: aVersion(2),
    endpoint: anEndpoint({ weights: { d1: 90, d2: 10 } }),
    previous: aDeployment(1),
    previous_version: aVersion(1, { stage: "archived" }),
    previous_server: "ready",
    open_rollout: aRollout(),
    completed_rollout: null,
    live: { figures: [] },
    ...facts,
  };
  return supersedeRollout(known, newer, context);
}

test("the rollout is aborted, the baseline serves alone, and the history names the newer version", () => {
  const ending = supersede() ?? expect.fail("the rollout was not ended");
  const route = ending.steps.find((step) => step.do.step === "want_route")?.do;
  expect(route).toMatchObject({ weights: { d1: 100 } });
  expect(statusesOf(ending.on_success)).toEqual(["d2: active|deploying > rolled_back (300)"]);
  expect(changesOf(ending.on_success, "move_rollout")).toMatchObject([
    { status: "aborted", event: { kind: "rollout_aborted", reason: "superseded by mv_3" } },
  ]);
  expect(ending.notes.join()).toContain("rollout_2 of e2i_remission:v2 ends, and e2i_remission:v1 serves");
});

test("no stage moves: production is the newer version's place, and the baseline does not return to it", () => {
  expect(changesOf(supersede()?.on_success ?? [], "set_stage")).toEqual([]);
});

test("a baseline that is no longer served is served again before it gets the traffic", () => {
  const steps = supersede({ previous_server: "away" })?.steps.map((step) => step.do.step);
  expect(steps).toEqual(["package_model", "start_server", "want_route", "apply_route"]);
});

test("when the ending fails the rollout goes on as it was", () => {
  expect(changesOf(supersede()?.on_failure ?? [], "move_rollout")).toMatchObject([{ status: "running" }]);
});

test.each<[string, Partial<RollbackFacts>]>([
  ["its rollout", { open_rollout: null }],
  ["its endpoint", { endpoint: null }],
  ["its baseline", { previous: null }],
  ["its baseline's version", { previous_version: null }],
  ["its candidate", { current: null }],
  ["its candidate's version", { current_version: null }],
])("nothing is ended where the way back is not known: without %s", (_what, facts) => {
  expect(supersede(facts)).toBeNull();
});
