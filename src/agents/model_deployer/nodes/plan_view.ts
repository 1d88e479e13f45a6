import type { Plan } from "../domain/plan.ts";
import { planDifferences } from "../domain/plan_difference.ts";
import type { PlanView } from "../state.ts";
import { type NodeRuntime, tell } from "./runtime.ts";

export function viewOf(plan: Plan): PlanView {
  const { summary, approvals_needed, generation, notes, names } = plan;
  return {
    summary,
    steps: plan.steps.map((planned) => planned.do.step),
    differences: planDifferences(plan),
    approvals_needed,
    generation,
    notes,
    names,
  };
}

export function tellPlan(runtime: NodeRuntime, operation_id: string | null, plan: Plan): void {
  tell(runtime, { event: "planned", operation_id, step: null, message: plan.summary });
}
