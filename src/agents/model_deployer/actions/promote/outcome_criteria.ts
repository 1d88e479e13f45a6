import type { ShadowEvidence } from "../../domain/entities.ts";
import type { GatePolicy } from "../../domain/models/gate_policy.ts";
import { noOutcomes } from "../../domain/evidence/late_outcomes.ts";
import { openMargin } from "../../judge/evidence/outcome_bound.ts";
import { defaultJudgeSettings } from "../../domain/traffic/rollout_plan.ts";
import type { UnmetCriterion } from "../../domain/plan.ts";
import { logOutcomeEvidence } from "../../judge/evidence/outcome_evidence.ts";
import { isWorseByOutcomes, outcomesSentence } from "../../judge/outcome_verdict.ts";

/** Whether enough outcomes have come for the shadow's pairs, and whether they speak against it. */
export function outcomeCriteria(
  { judge }: Pick<GatePolicy, "judge">,
  shadow: ShadowEvidence,
): UnmetCriterion[] {
  const { outcomes: asked = null, alpha = defaultJudgeSettings.alpha } = judge;
  if (asked === null) return [];
  const evidence = shadow.outcomes ?? noOutcomes;
  const pairs = evidence.candidate.outcomes;
  const said = outcomesSentence(evidence, asked, alpha);
  const open = openMargin(evidence, asked, alpha);
  const few: UnmetCriterion = {
    criterion: "shadow_outcomes",
    required: `at least ${asked.minimum_outcomes}`,
    observed: String(pairs),
    sentence: `Outcomes have come for ${pairs} requests that shadow and production both answered, and ${asked.minimum_outcomes} are needed; tell them by recordOutcomes or outcomes import.`,
  };
  const worse: UnmetCriterion = {
    criterion: "shadow_worse_by_outcomes",
    required: `not worse by ${asked.worse_by}, beyond doubt at ${alpha}`,
    observed: said,
    sentence: `By their outcomes the shadow is less often right than production on the same requests, beyond doubt at ${alpha}: ${said}.`,
  };
  const unbounded: UnmetCriterion = {
    criterion: "shadow_outcomes_margin",
    required: `worse by ${asked.margin} excluded at ${alpha}`,
    observed: said,
    sentence: `By ${pairs} requests that shadow and production both answered, ${open}; more outcomes tell.`,
  };
  const isWorse = logOutcomeEvidence(evidence) >= -Math.log(alpha) && isWorseByOutcomes(evidence, asked);
  return [
    ...(pairs < asked.minimum_outcomes ? [few] : []),
    ...(open === null ? [] : [unbounded]),
    ...(isWorse ? [worse] : []),
  ];
}
