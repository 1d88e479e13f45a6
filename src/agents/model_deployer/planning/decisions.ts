import type { Decision, Plan, PlannedStep, Refusal, Step } from "../domain/plan.ts";
import type { Change } from "../domain/changes.ts";
import { emptyAnswer } from "../domain/answer.ts";

const nothingElse: Pick<Refusal, "passes" | "unmet" | "next" | "not_before"> = {
  passes: false,
  unmet: [],
  next: [],
  not_before: null,
};

/** Without a way out it is final. */
export function refuse(
  code: Refusal["code"],
  sentence: string,
  also: Partial<Pick<Refusal, "unmet" | "next">> = {},
): Decision {
  return { decision: "refusal", refusal: { ...nothingElse, code, sentence, ...also } };
}

/** A refusal that time alone may lift, such as for work under way. */
export function refuseForNow(
  sentence: string,
  also: Partial<Pick<Refusal, "next" | "not_before">> = {},
): Decision {
  return {
    decision: "refusal",
    refusal: { ...nothingElse, code: "conflict", sentence, passes: true, ...also },
  };
}

/** With the commands that show what there is instead; without any the name can come only from elsewhere. */
export function missing(what: string, id: string, wayOut: string, next: Refusal["next"]): Decision {
  return refuse("not_found", `${what} ${id} does not exist: ${wayOut}.`, { next });
}

type PlanParts = Pick<Plan, "summary" | "lease_name"> & Partial<Plan>;

/** A plan of these parts; parts that are left out are empty. */
export function planWith(parts: PlanParts): Plan {
  return {
    preempts: false,
    also_leases: [],
    intent: [],
    steps: [],
    on_success: [],
    on_failure: [],
    draft: emptyAnswer,
    approvals_needed: 0,
    generation: 0,
    notes: [],
    evidence: {},
    signature: null,
    expectation: null,
    next_if_failed: [],
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
