import type { Losses, Measure, OutcomeEvidence, OutcomeSettings } from "../domain/evidence/late_outcomes.ts";
import type { JudgedSignal, JudgeSettings, JudgeState } from "../domain/evidence/judgement.ts";
import { lossWorseByAtMost, openMargin } from "./evidence/outcome_bound.ts";
import { logOutcomeEvidence, meanLoss } from "./evidence/outcome_evidence.ts";
import { eValue } from "./signals.ts";

/** Why too few outcomes have come, or too little is excluded by them; null where they suffice. */
export function missingOutcomes(
  { outcomes }: JudgeState,
  { outcomes: asked, alpha }: JudgeSettings,
): string | null {
  if (asked === null) return null;
  const known = outcomes?.candidate.outcomes ?? 0;
  if (known < asked.minimum_outcomes)
    return `${known} of at least ${asked.minimum_outcomes} outcomes of the candidate have come`;
  return openMargin(outcomes, asked, alpha);
}

/** Whether what turned out to be true speaks against the candidate's predictions by that much. */
export function areOutcomesWorse(
  { outcomes }: JudgeState,
  { outcomes: asked }: JudgeSettings,
  evidence: number,
): boolean {
  if (outcomes === null || asked === null) return false;
  return logOutcomeEvidence(outcomes) >= evidence && isWorseByOutcomes(outcomes, asked);
}

export function sentencesOfOutcomes(
  { outcomes }: JudgeState,
  { outcomes: asked, alpha }: JudgeSettings,
): string[] {
  return outcomes === null || asked === null ? [] : [outcomesSentence(outcomes, asked, alpha)];
}

export function signalOfOutcomes({ outcomes }: JudgeState): JudgedSignal[] {
  if (outcomes === null) return [];
  const { candidate, baseline } = outcomes;
  const e_value = eValue(logOutcomeEvidence(outcomes));
  return [
    {
      signal: "outcomes",
      unit: "loss",
      candidate: meanLoss(candidate),
      baseline: meanLoss(baseline),
      e_value,
    },
  ];
}

/**
 * Whether the candidate's mean loss exceeds the baseline's by more than is allowed, overall or in those that the
 * evidence comes from.
 */
export function isWorseByOutcomes(
  evidence: OutcomeEvidence,
  { measure, worse_by }: Pick<OutcomeSettings, "measure" | "worse_by">,
): boolean {
  return [evidence, evidence.since].some(({ candidate, baseline }) => {
    const [own, other] = [meanLoss(candidate), meanLoss(baseline)];
    if (own === null || other === null || own <= other) return false;
    const allowed = measure === "absolute_error" ? worse_by * other : worse_by;
    return own - other >= allowed;
  });
}

const LOSS_TEXT: Record<Measure, (loss: number) => string> = {
  accuracy: (loss) => `${(100 * (1 - loss)).toFixed(2)} % right`,
  brier: (loss) => `a Brier loss of ${loss.toFixed(4)}`,
  log_loss: (loss) => `a log loss of ${loss.toFixed(4)}`,
  absolute_error: (loss) => `a mean error of ${Number(loss.toPrecision(4))}`,
};

const boundText = (bound: number, measure: Measure): string =>
  measure === "accuracy" ? `${(100 * bound).toFixed(1)} % of the answers` : String(bound);

/** The numbers of both sides, as a person reads them. */
export function outcomesSentence(
  evidence: OutcomeEvidence,
  { measure }: Pick<OutcomeSettings, "measure">,
  alpha: number,
): string {
  const of = (side: Losses) => {
    const mean = meanLoss(side);
    return mean === null ? "no outcomes" : `${LOSS_TEXT[measure](mean)} by ${side.outcomes} outcomes`;
  };
  const { wrong_type, without_control, far_out } = evidence;
  const cut = far_out > 0 ? `, ${far_out} far out and cut` : "";
  const left = [
    ...(wrong_type > 0 ? [`${wrong_type} of a wrong type`] : []),
    ...(without_control > 0 ? [`${without_control} without a control`] : []),
  ];
  const shown = eValue(logOutcomeEvidence(evidence)).toPrecision(3);
  const bound = lossWorseByAtMost(evidence.excluded, alpha);
  const most = bound === null ? "" : `, worse by at most ${boundText(bound, measure)}`;
  const said = `${of(evidence.candidate)} against ${of(evidence.baseline)}${most}, e-value ${shown}${cut}`;
  return left.length === 0 ? said : `${said}, and ${left.join(" and ")} left out`;
}
