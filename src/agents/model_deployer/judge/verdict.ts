import type { Answers } from "../domain/evidence/figures.ts";
import type {
  Counts,
  JudgedSignal,
  JudgeSettings,
  JudgeState,
  Signal,
  Verdict,
} from "../domain/evidence/judgement.ts";
import { type Evidence, evidenceOf, logTogether } from "./comparison.ts";
import {
  eValue,
  LATENCY_EXPERTS,
  OUTCOMES_SHARE,
  PREDICTIONS_SHARE,
  QUANTILES,
  quantileOf,
  sharesOf,
} from "./signals.ts";
import {
  failingMetric,
  missingMetric,
  sentencesOfMetrics,
  signalsOfMetrics,
  speakingMetric,
} from "./metric_verdict.ts";
import {
  areOutcomesWorse,
  missingOutcomes,
  sentencesOfOutcomes,
  signalOfOutcomes,
} from "./outcome_verdict.ts";
import { arePredictionsShifted, sentencesOfPredictions, signalOfPredictions } from "./prediction_verdict.ts";
import { logWealth } from "./statistics/experts.ts";
import { numbersOf, percent } from "./sentences.ts";
import { isSuspicious } from "./challenge/suspicion.ts";
import { differs, slowerAt } from "./allowed_difference.ts";
import { worseByAtMost } from "./worse_by.ts";

/** Evidence from which on a candidate takes no further step, though it is not failed. */
const SPEAKS_AGAINST = Math.log(3);

/**
 * The verdict that the evidence so far allows, by comparison with the baseline's answers in the same period, at any
 * number of looks. A candidate fails by a comparison, or by a bound that the team has set for a metric of its own; whether
 * its server is there at all is decided elsewhere. It passes when no evidence speaks against it and, where a bound is
 * required, being worse by the margin is excluded. Inconclusive never promotes.
 * @param needsBound whether a pass requires that being worse by the margin is excluded
 */
export function judge(state: JudgeState, settings: JudgeSettings, needsBound = false): Verdict {
  return judgedBy(state, settings, { needsBound, hasBaseline: true });
}

function judgedBy(
  state: JudgeState,
  settings: JudgeSettings,
  { needsBound, hasBaseline }: { needsBound: boolean; hasBaseline: boolean },
): Verdict {
  const failed = failedBy(state, settings);
  if (failed !== null) return verdictOf(state, settings, { outcome: "fail", lacks: null, why: failed });
  const open = (lacks: Verdict["lacks"], why: string) =>
    verdictOf(state, settings, { outcome: "inconclusive", lacks, why });
  if (state.step_samples < settings.minimum_samples) {
    const { minimum_samples: needed } = settings;
    return open("samples", `${state.step_samples} of at least ${needed} samples at this step`);
  }
  const unknown = hasBaseline ? missingMetric(state, settings, needsBound) : null;
  if (unknown !== null) return open("metrics", unknown);
  if (speaksAgainst(state, settings))
    return open("evidence", "the candidate may be worse, and more samples are needed to tell");
  const excluded = worseByAtMost(state.excluded.bets, settings.alpha);
  if (needsBound && settings.margin < 1 && (excluded === null || excluded > settings.margin)) {
    const known = excluded === null ? "no bound is known yet" : `it is worse by at most ${percent(excluded)}`;
    return open("bound", `worse by ${percent(settings.margin)} is not excluded yet, ${known}`);
  }
  const missing = missingOutcomes(state, settings);
  if (needsBound && missing !== null) return open("outcomes", missing);
  return verdictOf(state, settings, {
    outcome: "pass",
    lacks: null,
    why: "nothing speaks against the candidate",
  });
}

/** Without a living baseline no candidate fails: one that looks worse than the baseline did is held. */
export function judgeAlone(state: JudgeState, settings: JudgeSettings): Verdict {
  const verdict = judgedBy(state, settings, { needsBound: false, hasBaseline: false });
  if (verdict.outcome !== "pass" || !isSuspicious(state.suspicion)) return verdict;
  const why = "the candidate looks worse than its baseline did while it lived";
  return verdictOf(state, settings, { outcome: "inconclusive", lacks: "evidence", why });
}

interface VerdictParts {
  outcome: Verdict["outcome"];
  lacks: Verdict["lacks"];
  why: string;
}

function verdictOf(
  state: JudgeState,
  settings: JudgeSettings,
  { outcome, lacks, why }: VerdictParts,
): Verdict {
  const evidence = evidenceOf(state);
  const excluded = worseByAtMost(state.excluded.bets, settings.alpha);
  return {
    outcome,
    reason: `${why}: ${[numbersOf(state, evidence, excluded), ...sentencesOfOutcomes(state, settings), ...sentencesOfPredictions(state, settings), ...sentencesOfMetrics(state, settings)].join(", ")}.`,
    lacks,
    candidate: countsOf(state.candidate),
    baseline: countsOf(state.baseline),
    e_value: eValue(logTogether(evidence, state, settings)),
    worse_by_at_most: excluded,
    signals: [
      ...signalsOf(state, evidence),
      ...signalOfOutcomes(state),
      ...signalOfPredictions(state),
      ...signalsOfMetrics(state, settings),
    ],
  };
}

const FAILURE_TEXT: Record<Exclude<Signal, "latency">, string> = {
  errors: "the candidate fails more often",
  client_errors: "the candidate refuses more of what callers send (4xx)",
};

/** The signal by which it is worse beyond doubt; null while none shows it. */
export function failedBy(state: JudgeState, settings: JudgeSettings): string | null {
  const evidence = evidenceOf(state);
  const isBeyondDoubt = (signal: Signal) =>
    evidence[signal] >= -Math.log(settings.alpha * sharesOf(settings)[signal]) &&
    differs(state, settings, signal);
  const beyondDoubt = `beyond doubt at ${settings.alpha}`;
  if (isBeyondDoubt("errors")) return `${FAILURE_TEXT.errors}, ${beyondDoubt}`;
  if (isBeyondDoubt("client_errors")) return `${FAILURE_TEXT.client_errors}, ${beyondDoubt}`;
  if (areOutcomesWorse(state, settings, -Math.log(settings.alpha * OUTCOMES_SHARE)))
    return `the candidate is less often right, ${beyondDoubt}`;
  if (arePredictionsShifted(state, settings, -Math.log(settings.alpha * PREDICTIONS_SHARE)))
    return `the candidate predicts otherwise, ${beyondDoubt}`;
  const metric = failingMetric(state, settings);
  if (metric !== null) return `the candidate is worse by ${metric}, ${beyondDoubt}`;
  if (!isBeyondDoubt("latency")) return null;
  const quantile = 100 * (slowerAt(state, settings) ?? 1);
  return `the candidate is slower by its p${quantile}, ${beyondDoubt}`;
}

export function speaksAgainst(state: JudgeState, settings: JudgeSettings): boolean {
  const evidence = evidenceOf(state);
  const signals = ["errors", "client_errors", "latency"] as const;
  return (
    signals.some((signal) => evidence[signal] >= SPEAKS_AGAINST && differs(state, settings, signal)) ||
    areOutcomesWorse(state, settings, SPEAKS_AGAINST) ||
    arePredictionsShifted(state, settings, SPEAKS_AGAINST) ||
    speakingMetric(state, settings, SPEAKS_AGAINST) !== null
  );
}

export function countsOf({ requests, errors, timeouts, resets, client_errors }: Answers): Counts {
  return { requests, errors, timeouts, resets, client_errors };
}

function signalsOf(state: JudgeState, evidence: Evidence): JudgedSignal[] {
  const { candidate, baseline } = state;
  const share = (side: Answers, marked: number) => (side.requests === 0 ? null : marked / side.requests);
  const ofMarks = (["errors", "client_errors"] as const).map((signal) => ({
    signal,
    unit: "share" as const,
    candidate: share(candidate, candidate[signal]),
    baseline: share(baseline, baseline[signal]),
    e_value: eValue(evidence[signal]),
  }));
  if (candidate.latency.length === 0) return ofMarks;
  const ofLatency = QUANTILES.map(({ signal, quantile }, index) => ({
    signal,
    unit: "ms" as const,
    candidate: rounded(quantileOf(candidate.latency, quantile)),
    baseline: rounded(quantileOf(baseline.latency, quantile)),
    e_value: eValue(logWealth(state.evidence.latency.bets, index, LATENCY_EXPERTS)),
  }));
  return [...ofMarks, ...ofLatency];
}

const rounded = (ms: number | null): number | null => (ms === null ? null : Math.round(10 * ms) / 10);
