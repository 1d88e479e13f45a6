import type { Decision, Plan, PlannedStep, Refusal, Step } from "./plan.ts";
import type { Change } from "./changes.ts";
import { emptyAnswer } from "./answer.ts";

export function refuse(code: Refusal["code"], sentence: string, unmet: Refusal["unmet"] = []): Decision {
  return { decision: "refusal", refusal: { code, sentence, passes: false, unmet } };
}

/** A refusal that time alone may lift, such as for what is under way. */
export function refuseForNow(sentence: string): Decision {
  return { decision: "refusal", refusal: { code: "conflict", sentence, passes: true, unmet: [] } };
}

export function missing(what: string, id: string, wayOut: string): Decision {
  return refuse("not_found", `${what} ${id} does not exist: ${wayOut}.`);
}

type PlanParts = Pick<Plan, "summary" | "lease_name"> & Partial<Plan>;

/** A plan of these parts, and of nothing where one is left out. */
export function planWith(parts: PlanParts): Plan {
  return {
    preempts: false,
    intent: [],
    steps: [],
    on_success: [],
    on_failure: [],
    draft: emptyAnswer,
    approvals_needed: 0,
    generation: 0,
    notes: [],
    evidence: {},
    names: {},
    ...parts,
  };
}

export function propose(parts: PlanParts): Decision {
  return { decision: "plan", plan: planWith(parts) };
}

export function planned(step: Step, options: { undo?: Step[]; then?: Change[] } = {}): PlannedStep {
  return { do: step, undo: options.undo ?? [], then: options.then ?? [] };
}
