import fc from "fast-check";
import { expect, test } from "vitest";
import {
  withCaution,
  cautionOf,
  heldUntil,
  recentRollbacks,
} from "../../../../src/agents/model_deployer/actions/deploy/caution.ts";
import { decideDeploy } from "../../../../src/agents/model_deployer/actions/deploy/decide.ts";
import type { DeployFacts } from "../../../../src/agents/model_deployer/actions/deploy/facts.ts";
import type { DeployRequest } from "../../../../src/agents/model_deployer/domain/requests.ts";
import {
  refuseSteps,
  type RolloutStep,
} from "../../../../src/agents/model_deployer/domain/traffic/rollout.ts";
import { planRollout } from "../../../../src/agents/model_deployer/domain/traffic/rollout_plan.ts";
import { changesOf, planOf, refusalOf, routeOf } from "../../../support/decisions/decided.ts";
import { aDeployment, context, deployFacts, later, NOW } from "../../../support/given/given_facts.ts";

const rolledBack = (number: number, secondsAgo: number) =>
  aDeployment(number, { status: "rolled_back", rolled_back_at: later(-secondsAgo) });

function request(rollout: DeployRequest["rollout"] = "linear"): DeployRequest {
  return {
    action: "deploy",
    model_version_id: "mv_2",
    target_stage: "production",
    replicas: 1,
    cpu_limit: "2",
    memory_limit: "4Gi",
    autoscaling: { min: 1, max: 5, target_cpu: 70 },
    rollout,
  };
}

const decide = (given: Partial<DeployFacts>, rollout?: DeployRequest["rollout"]) =>
  decideDeploy(request(rollout), deployFacts(given), context);

test("a model family that was rolled back begins smaller and is watched longer, and the plan says by how much", () => {
  const plan = planOf(decide({ experience: { rollbacks: 2, completed_rollouts: 1 } }));
  expect(routeOf(plan).weights).toEqual({ d1: 98, deploy_new: 2 });
  const [started] = changesOf(plan.on_success, "start_rollout");
  expect(started?.rollout.steps.slice(0, 2)).toEqual([
    { weight: 2, bake_seconds: 180 },
    { weight: 20, bake_seconds: 180 },
  ]);
  const sentence = "the first step is 2 % instead of 10 %, and each bake is 3 times as long";
  expect(plan.summary).not.toContain(sentence);
  expect(plan.notes.join()).toContain(sentence);
  expect(plan.notes).toEqual(expect.arrayContaining(plan.draft.notes));
});

test("a plan names only what is more careful than asked for", () => {
  const experience = { rollbacks: 1, completed_rollouts: 0 };
  const notesOf = (...steps: RolloutStep[]) => planOf(decide({ experience }, { steps })).draft.notes.join();
  const last = { weight: 100, bake_seconds: 0 };
  const unwatched = notesOf({ weight: 20, bake_seconds: 0 }, last);
  expect(unwatched).toContain("the first step is 10 % instead of 20 %.");
  expect(unwatched).not.toContain("bake");
  const smallest = notesOf({ weight: 1, bake_seconds: 60 }, last);
  expect(smallest).toContain("within the hour: each bake is 2 times as long.");
  expect(notesOf({ weight: 1, bake_seconds: 0 }, last)).toBe("");
});

test("without rollbacks everything is as it was asked for, and nothing is said", () => {
  const plan = planOf(decide({}));
  expect(routeOf(plan).weights).toEqual({ d1: 90, deploy_new: 10 });
  expect(plan.draft.notes).toEqual([]);
});

test("a memory that gives no answer is named, and the plan goes on as it was asked for", () => {
  const plan = planOf(decide({ experience: null }));
  expect(routeOf(plan).weights).toEqual({ d1: 90, deploy_new: 10 });
  expect(plan.notes.join()).toContain("degraded: procedural memory gave no answer");
});

test("with the memory down a rollback within the hour is known all the same", () => {
  const plan = planOf(decide({ experience: null, deployments: [rolledBack(3, 3599), aDeployment(1)] }));
  expect(routeOf(plan).weights).toEqual({ d1: 95, deploy_new: 5 });
});

test("an endpoint that goes to and fro takes no rollout for a while; at once and approved it does", () => {
  const deployments = [rolledBack(4, 60), rolledBack(3, 900), aDeployment(1)];
  const refusal = refusalOf(decide({ deployments }));
  expect(refusal).toMatchObject({ code: "conflict", passes: true });
  expect(refusal.sentence).toContain(`the next rollout at ${later(540)}`);
  expect(planOf(decide({ deployments }, "immediate")).approvals_needed).toBe(1);
  expect(planOf(decide({ deployments: [rolledBack(4, 601), rolledBack(3, 900)] })).summary).toContain(
    "beginning with 2 %",
  );
});

test("a rollout that somebody aborted, or that was superseded, makes nobody careful and holds nothing up", () => {
  const deployments = [rolledBack(4, 60), rolledBack(3, 900), aDeployment(1)];
  const plan = planOf(decide({ deployments, aborted: ["d3", "d4"] }));
  expect(routeOf(plan).weights).toEqual({ d1: 90, deploy_new: 10 });
  const one = planOf(decide({ deployments, aborted: ["d4"] }));
  expect(routeOf(one).weights).toEqual({ d1: 95, deploy_new: 5 });
});

test("the hold doubles with each further rollback, up to an hour", () => {
  const recent = (count: number) => Array.from({ length: count }, (_, index) => rolledBack(index + 3, index));
  expect([1, 2, 3, 4, 5, 9].map((count) => heldUntil(recent(count), NOW))).toEqual([
    null,
    later(600),
    later(1200),
    later(2400),
    later(3600),
    later(3600),
  ]);
});

test("rollbacks of other stages, and those of over an hour ago, do not count", () => {
  const staging = aDeployment(5, { target_stage: "staging", rolled_back_at: NOW });
  expect(recentRollbacks([staging, rolledBack(3, 3600), rolledBack(4, 3599)], NOW)).toHaveLength(1);
});

test("caution is bounded, whatever is remembered, and its steps are always steps", () => {
  const number = fc.integer({ min: 0, max: 1_000_000 });
  fc.assert(
    fc.property(number, number, number, (rollbacks, completed_rollouts, recent) => {
      const caution = cautionOf({ rollbacks, completed_rollouts }, recent);
      expect(caution).toBeGreaterThanOrEqual(Math.min(recent, 3));
      expect(caution).toBeLessThanOrEqual(3);
      const asked = planRollout("canary");
      const careful = withCaution(asked, caution);
      expect(refuseSteps(careful.steps)).toBeNull();
      careful.steps.forEach((step, index) => {
        expect(step.weight).toBeLessThanOrEqual(asked.steps[index]?.weight ?? 0);
        expect(step.bake_seconds).toBeGreaterThanOrEqual(asked.steps[index]?.bake_seconds ?? 0);
        expect(step.bake_seconds).toBeLessThanOrEqual(4 * (asked.steps[index]?.bake_seconds ?? 0));
      });
    }),
    { seed: 37 },
  );
});
