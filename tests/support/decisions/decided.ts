import { expect } from "vitest";
import type { Change, ChangeOf } from "../../../src/agents/model_deployer/domain/changes.ts";
import {
  type Decision,
  type Plan,
  planSchema,
  type Refusal,
} from "../../../src/agents/model_deployer/domain/plan.ts";

/** The plan of a decision, which every border would accept as it is. */
export function planOf(decision: Decision): Plan {
  if (decision.decision === "plan") return planSchema.parse(decision.plan);
  return expect.fail(`refused: ${decision.refusal.sentence}`);
}

export function refusalOf(decision: Decision): Refusal {
  if (decision.decision === "refusal") return decision.refusal;
  return expect.fail(`planned: ${decision.plan.summary}`);
}

export function changesOf<K extends Change["change"]>(changes: readonly Change[], kind: K): ChangeOf<K>[] {
  return changes.filter((change): change is ChangeOf<K> => change.change === kind);
}

/** `mv_1: shadow > production (promotion)` for each move between stages, in order. */
export function movesOf(plan: Plan): string[] {
  return changesOf(plan.on_success, "set_stage").map(
    (move) => `${move.model_version_id}: ${move.from} > ${move.to} (${move.kind})`,
  );
}

/** `d1: active|deploying > draining (3600)`, in order; the number is how long the server stays warm. */
export function statusesOf(changes: readonly Change[]): string[] {
  return changesOf(changes, "set_deployment_status").map(
    ({ deployment_id, from, to, keep_warm_seconds: warm }) =>
      `${deployment_id}: ${from.join("|")} > ${to}${warm === null ? "" : ` (${warm})`}`,
  );
}

export const stepsOf = (plan: Plan): string[] => plan.steps.map((planned) => planned.do.step);

/** The one route that a plan wants. */
export function routeOf(plan: Plan) {
  const [route, ...others] = plan.steps.flatMap((planned) =>
    planned.do.step === "want_route" ? [planned.do] : [],
  );
  expect(others).toEqual([]);
  return route ?? expect.fail("the plan moves no traffic");
}

/** Announcements of a plan: topics with their subjects. */
export function announcementsOf(plan: Plan): string[] {
  return changesOf(plan.on_success, "enqueue").map((entry) => `${entry.topic} ${entry.dedupe_key}`);
}
