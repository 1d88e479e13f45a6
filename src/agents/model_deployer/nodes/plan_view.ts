import type { Plan } from "../domain/plan.ts";
import { planDifferences } from "../planning/plan_difference.ts";
import type { PlanView } from "../state/state.ts";
import { type NodeRuntime, tell } from "./runtime.ts";

export function viewOf(plan: Plan): PlanView {
  const { summary, approvals_needed, generation, notes, names, signature, expectation } = plan;
  return {
    summary,
    steps: plan.steps.map((planned) => planned.do.step),
    differences: planDifferences(plan),
    approvals_needed,
    generation,
    notes,
    names,
    signature,
    expectation,
  };
}

export function tellPlan(runtime: NodeRuntime, operation_id: string | null, plan: Plan): void {
  tell(runtime, { event: "planned", operation_id, step: null, message: plan.summary });
}
