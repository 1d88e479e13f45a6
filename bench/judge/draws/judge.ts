import type { VersionFigures } from "../../../src/agents/model_deployer/domain/rollout.ts";
import { errorRate, noAnswers, type Tally } from "./figures.ts";
import { compare, type Evidence, evidenceOf, logTogether, newest, plusBoth } from "./comparison.ts";
import { ERRORS_SHARE, LATENCY_SHARE, QUANTILES, quantileOf } from "./signals.ts";
import { type Answers, type JudgeState, noEvidence, noneOfBoth, type Weighted } from "./state.ts";
import { isAllayed, isSuspicious, noSuspicion, suspect, suspectedShare } from "./suspicion.ts";
import { nothingExcluded, worseByAtMost } from "./worse_by.ts";
import type { JudgeSettings, Verdict } from "./settings.ts";

/**
 * Judges a candidate by what the baseline answered in the same stretch of time, at any number of looks. What fails it is a
 * comparison, never an absolute guard; what passes it is that nothing speaks against it, and where `needs_bound` says so,
 * that being worse by the margin is excluded.
 */

export interface JudgedSides {
  candidate_id: string;
  baseline_id: string;
}

function growth(now: VersionFigures | undefined, before: VersionFigures | undefined): Answers {
  if (now === undefined) return { ...noAnswers, latency: [] };
  const since = before?.epoch === now.epoch ? before : undefined;
  const more = (after: number, earlier = 0) => Math.max(0, after - earlier);
  const requests = more(now.requests, since?.requests);
  return {
    requests,
    errors: Math.min(requests, more(now.errors, since?.errors)),
    latency: (now.latency_counts ?? []).map((count, bin) => more(count, since?.latency_counts?.[bin])),
  };
}

const figuresOf = (list: VersionFigures[], id: string) => list.find((entry) => entry.deployment_id === id);

/** What was read late, or left out once, stands as it was seen last: nothing is counted twice. */
function furthest(before: VersionFigures[], now: VersionFigures[]): VersionFigures[] {
  const missing = before.filter(({ deployment_id: id }) => figuresOf(now, id) === undefined);
  const read = now.map((one) => {
    const last = figuresOf(before, one.deployment_id);
    return last?.epoch === one.epoch && one.requests < last.requests ? last : one;
  });
  return [...read, ...missing];
}

const noneNewest: Weighted = { requests: 0, errors: 0, latency: [] };

/** What the baseline did before is no part of what is judged, but tells what to bet on. */
export function newJudgeState(figures: VersionFigures[], baselineId?: string): JudgeState {
  const before = baselineId === undefined ? undefined : figuresOf(figures, baselineId);
  return {
    ...noEvidence(),
    ...noneOfBoth(),
    step_samples: 0,
    recent: { candidate: noneNewest, baseline: newest(noneNewest, growth(before, undefined)) },
    suspicion: noSuspicion,
    challenged_for: null,
    warm_looks: 0,
    last_figures: figures,
  };
}

/**
 * Takes in one look at the counters. Pure; the same look twice changes nothing.
 *
 * @param share the candidate's part of the traffic since the last look, between 0 and 1
 */
export function observe(
  state: JudgeState,
  figures: VersionFigures[],
  sides: JudgedSides,
  share: number,
  settings: JudgeSettings,
): JudgeState {
  const grown = (id: string) => growth(figuresOf(figures, id), figuresOf(state.last_figures, id));
  const block = { candidate: grown(sides.candidate_id), baseline: grown(sides.baseline_id) };
  const seen = {
    ...state,
    warm_looks: Math.min(1000, state.warm_looks + (block.candidate.requests > 0 ? 1 : 0)),
  };
  return {
    ...compare(seen, block, share, settings.alpha),
    ...plusBoth(state, block),
    step_samples: state.step_samples + block.candidate.requests,
    suspicion: suspect(state.suspicion, state.recent.baseline, block.candidate, settings.effect_floor),
    recent: {
      candidate: newest(state.recent.candidate, block.candidate),
      baseline: newest(state.recent.baseline, block.baseline),
    },
    last_figures: furthest(state.last_figures, figures),
  };
}

/** The candidate looks worse than the baseline did before; only a control can tell. */
export const needsControl = (state: JudgeState): boolean => isSuspicious(state.suspicion);

/** A share of the traffic goes back to the baseline, so that both are compared again. */
export function beginChallenge(state: JudgeState): JudgeState {
  const challenged_for = suspectedShare(state.suspicion);
  return { ...beginStep(state), excluded: nothingExcluded, challenged_for };
}

/**
 * Nothing speaks against the candidate, being worse by half of what it was suspected of (or by the margin) is excluded,
 * and what it was suspected for is over or usual by now.
 */
export function isCleared(state: JudgeState, verdict: Verdict, settings: JudgeSettings): boolean {
  const { challenged_for: suspected, suspicion, excluded, step_samples } = state;
  if (suspected === null || verdict.outcome === "fail" || step_samples < settings.minimum_samples)
    return false;
  const bound = worseByAtMost(excluded, settings.alpha);
  const isExcluded = bound !== null && bound <= Math.max(settings.margin, suspected / 2);
  return isExcluded && isAllayed(suspicion) && !speaksAgainst(state, settings);
}

export const endChallenge = (state: JudgeState): JudgeState => ({
  ...beginStep(state),
  challenged_for: null,
  suspicion: noSuspicion,
});

/** The next step has its own samples to gather, under other weights. */
export function beginStep(state: JudgeState): JudgeState {
  return { ...state, step_samples: 0, pending: null };
}

const percent = (value: number): string => `${(100 * value).toFixed(2)} %`;
const counted = (tally: Tally): string =>
  `${tally.errors} of ${tally.requests} (${percent(errorRate(tally))})`;

/** Over all, or in the stretch that the evidence comes from: who turned bad late must not be hidden behind a good past. */
function failsMore({ candidate, baseline, since: { errors } }: JudgeState): number {
  const overall = errorRate(candidate) - errorRate(baseline);
  return Math.max(overall, errorRate(errors.candidate) - errorRate(errors.baseline));
}

/** The quantile at which the candidate is slower by more than is allowed, in the stretch that the evidence comes from. */
function slowerAt({ since: { latency } }: JudgeState, settings: JudgeSettings): number | null {
  const { maximum_latency_ratio: ratio, latency_floor_ms: floor } = settings;
  if (ratio === null) return null;
  const found = QUANTILES.find(({ quantile }) => {
    const candidate = quantileOf(latency.candidate.latency, quantile);
    const baseline = quantileOf(latency.baseline.latency, quantile);
    if (candidate === null || baseline === null) return false;
    return candidate >= ratio * baseline && candidate - baseline >= floor;
  });
  return found?.quantile ?? null;
}

/** Evidence from which on a candidate takes no further step, though it is not failed. */
const SPEAKS_AGAINST = Math.log(3);

/**
 * @param needsBound whether passing asks that being worse by the margin is excluded
 */
export function judge(state: JudgeState, settings: JudgeSettings, needsBound = false): Verdict {
  const evidence = evidenceOf(state);
  const { candidate, baseline } = state;
  const excluded = worseByAtMost(state.excluded, settings.alpha);
  const verdict = (outcome: Verdict["outcome"], reason: string): Verdict => ({
    outcome,
    reason: `${reason}: ${numbersOf(state, evidence, excluded)}.`,
    candidate: tallyOf(candidate),
    baseline: tallyOf(baseline),
    e_value: Math.exp(Math.min(logTogether(evidence), 700)),
    worse_by_at_most: excluded,
    latency: latencyOf(state, evidence),
  });
  const more = failsMore(state);
  const slower = slowerAt(state, settings);
  const beyondDoubt = (share: number) => -Math.log(settings.alpha * share);
  if (more >= settings.effect_floor && evidence.errors >= beyondDoubt(ERRORS_SHARE)) {
    return verdict("fail", `the candidate fails more often, beyond doubt at ${settings.alpha}`);
  }
  if (slower !== null && evidence.latency >= beyondDoubt(LATENCY_SHARE)) {
    const name = `p${100 * slower}`;
    return verdict("fail", `the candidate is slower by its ${name}, beyond doubt at ${settings.alpha}`);
  }
  if (state.step_samples < settings.minimum_samples) {
    const { minimum_samples: needed } = settings;
    return verdict("inconclusive", `${state.step_samples} of at least ${needed} samples at this step`);
  }
  if (speaksAgainst(state, settings))
    return verdict("inconclusive", "the candidate may be worse, and more samples are needed to tell");
  if (needsBound && (excluded === null || excluded > settings.margin)) {
    const known = excluded === null ? "nothing is excluded yet" : `at most ${percent(excluded)} is excluded`;
    return verdict("inconclusive", `worse by ${percent(settings.margin)} is not excluded, ${known}`);
  }
  return verdict("pass", "nothing speaks against the candidate");
}

function speaksAgainst(state: JudgeState, settings: JudgeSettings): boolean {
  const evidence = evidenceOf(state);
  const mayFailMore = evidence.errors >= SPEAKS_AGAINST && failsMore(state) >= settings.effect_floor;
  return mayFailMore || (evidence.latency >= SPEAKS_AGAINST && slowerAt(state, settings) !== null);
}

const tallyOf = ({ requests, errors }: Answers): Tally => ({ requests, errors });

function numbersOf({ candidate, baseline }: JudgeState, evidence: Evidence, excluded: number | null): string {
  const bound = excluded === null ? "" : `, worse by at most ${percent(excluded)}`;
  const eValue = Math.exp(Math.min(evidence.errors, 700)).toPrecision(3);
  return (
    `candidate failed ${counted(candidate)}, baseline ${counted(baseline)}, ` + `e-value ${eValue}${bound}`
  );
}

function latencyOf({ candidate, baseline }: JudgeState, evidence: Evidence): Verdict["latency"] {
  if (candidate.latency.length === 0) return null;
  const of = (side: Answers) => {
    const [p50_ms, p90_ms, p99_ms] = QUANTILES.map(({ quantile }) =>
      rounded(quantileOf(side.latency, quantile)),
    );
    return { p50_ms: p50_ms ?? null, p90_ms: p90_ms ?? null, p99_ms: p99_ms ?? null };
  };
  return {
    candidate: of(candidate),
    baseline: of(baseline),
    e_value: Math.exp(Math.min(evidence.latency, 700)),
  };
}

const rounded = (ms: number | null): number | null => (ms === null ? null : Math.round(10 * ms) / 10);
