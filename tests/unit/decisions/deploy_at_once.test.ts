import { expect, test } from "vitest";
import type { DeployRequest } from "../../../src/agents/model_deployer/domain/requests.ts";
import { changesOf, planOf, routeOf, statusesOf } from "../../support/decisions/decided.ts";
import { decideOn } from "../../support/decisions/decided_deployment.ts";
import { aDeployment, anEndpoint, figuresOf, later } from "../../support/given/given_facts.ts";

const serves = { endpoint: anEndpoint(), deployments: [aDeployment(1)] };
test.each<[string, DeployRequest["rollout"]]>([
  ["immediate", "immediate"],
  ["steps that begin with everything", { steps: [{ weight: 100, bake_seconds: 0 }] }],
])("all at once over another needs an approval, and the old one stays warm: %s", (_what, rollout) => {
  const plan = planOf(decideOn("production", serves, { rollout }));
  expect(plan.approvals_needed).toBe(1);
  expect(routeOf(plan).weights).toEqual({ deploy_new: 100 });
  expect(statusesOf(plan.on_success)).toEqual([
    "deploy_new: deploying > active",
    "d1: active|deploying > draining (3600)",
  ]);
  expect(plan.draft.deployment_manifest?.rollout).toBeNull();
});

test("what went out at once over another is watched as a completed rollout while the old one is warm", () => {
  const facts = { ...serves, figures: [figuresOf("d1", [5, 500])] };
  const plan = planOf(decideOn("production", facts, { rollout: "immediate" }));
  expect(changesOf(plan.on_success, "start_rollout")).toMatchObject([
    {
      rollout: {
        deployment_id: "deploy_new",
        baseline_deployment_id: "d1",
        status: "completed",
        steps: [{ weight: 100, bake_seconds: 0 }],
        next_tick_at: later(5),
        watched_until: later(3600),
        judge_state: { recent: { baseline: { requests: 500, errors: 5 } } },
      },
      reason: "deploy_new took all traffic from d1 at once",
    },
  ]);
  const unwatched = planOf(
    decideOn("production", { ...facts, retention_seconds: 0 }, { rollout: "immediate" }),
  );
  expect(changesOf(unwatched.on_success, "start_rollout")).toMatchObject([
    { rollout: { status: "completed", next_tick_at: null, watched_until: null } },
  ]);
});

test.each<DeployRequest["rollout"]>(["linear", "immediate"])(
  "a router that gives no figures is named, in the plan and in the answer: %s",
  (rollout) => {
    const plan = planOf(decideOn("production", { ...serves, figures: null }, { rollout }));
    const note =
      "degraded: the router gave no figures, so the judge does not know what d1 answered before this deployment.";
    expect(plan.notes).toContain(note);
    expect(plan.draft.notes).toContain(note);
    expect(planOf(decideOn("production", serves, { rollout })).draft.notes).toEqual([]);
    expect(planOf(decideOn("staging", { figures: null })).notes).toEqual([]);
  },
);

test("all at once where nothing serves needs no approval of its own", () => {
  expect(planOf(decideOn("production", {}, { rollout: "immediate" })).approvals_needed).toBe(0);
});
