import { logEFactor, logEFactorAlone, type Sides } from "./error_evidence.ts";
import { isSlower, latencyBands } from "./latency_bands.ts";
import { nothingSinceLowest, RUN_OF_FAILURES } from "./rollout.ts";
import type { JudgeSettings, JudgeState, LatencyBands, Tally, Verdict, VersionFigures } from "./rollout.ts";

/**
 * Judges a candidate against its baseline, at any number of looks: its errors by `error_evidence`, its latency by
 * `latency_bands`, and a run of failures by itself.
 *
 * Either of them fails the candidate. Only errors pass it or hold it: latency that cannot be told yet holds nothing up,
 * because bands of a p99 need over a thousand answers of each side.
 */

export interface JudgedSides {
  candidate_id: string;
  baseline_id: string;
}

/** What a look came to. */
export interface Judged {
  state: JudgeState;
  verdict: Verdict;
}

type Growth = Tally & { failure_runs: number; latency: number[] };

const nothing: Tally = { requests: 0, errors: 0 };

/** More answers than so many are scaled down to it, so that bets follow a version that turns bad late. */
const RECENT_ANSWERS = 2000;
/** With fewer answers of the candidate only a run of failures fails it: the first few may have failed together. */
const FEWEST_ANSWERS = 10;
/** Of alpha, what is spent on the bound of a baseline's rate that is no longer asked. */
const ALONE_SHARE = 0.1;

function growth(now: VersionFigures | undefined, before: VersionFigures | undefined): Growth {
  if (now === undefined) return { ...nothing, failure_runs: 0, latency: [] };
  const since = before?.epoch === now.epoch ? before : undefined;
  const more = (after: number, earlier = 0) => Math.max(0, after - earlier);
  const requests = more(now.requests, since?.requests);
  return {
    requests,
    errors: Math.min(requests, more(now.errors, since?.errors)),
    failure_runs: more(now.failure_runs ?? 0, since?.failure_runs),
    latency: (now.latency_counts ?? []).map((count, bin) => more(count, since?.latency_counts?.[bin])),
  };
}

const plus = (a: Tally, b: Tally): Tally => ({
  requests: a.requests + b.requests,
  errors: a.errors + b.errors,
});
const plusEach = (a: number[], b: number[]): number[] =>
  a.length >= b.length ? a.map((count, bin) => count + (b[bin] ?? 0)) : plusEach(b, a);
const rate = (tally: Tally): number => (tally.requests === 0 ? 0 : tally.errors / tally.requests);

function newest(tally: Tally): Tally {
  if (tally.requests <= RECENT_ANSWERS) return tally;
  return { requests: RECENT_ANSWERS, errors: (tally.errors * RECENT_ANSWERS) / tally.requests };
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

/** What the baseline did before is no part of what is judged, but tells what to bet on. */
export function newJudgeState(figures: VersionFigures[], baselineId?: string): JudgeState {
  const before = baselineId === undefined ? undefined : figuresOf(figures, baselineId);
  const { requests, errors } = before ?? nothing;
  return {
    log_e: 0,
    candidate: nothing,
    baseline: nothing,
    recent: { candidate: nothing, baseline: newest({ requests, errors: Math.min(errors, requests) }) },
    since_lowest: nothingSinceLowest,
    step_samples: 0,
    latency: { candidate: [], baseline: [] },
    last_figures: figures,
    failures_in_a_row: 0,
    failure_runs: 0,
  };
}

/** What was seen since the evidence was last at its lowest: the stretch that the evidence there is comes from. */
function sinceLowest(before: JudgeState, logE: number, block: Sides): JudgeState["since_lowest"] {
  const { since_lowest: since } = before;
  if (logE <= since.log_e) return { log_e: logE, candidate: nothing, baseline: nothing };
  return {
    log_e: since.log_e,
    candidate: plus(since.candidate, block.candidate),
    baseline: plus(since.baseline, block.baseline),
  };
}

/** What the baseline answered in the rollout, or, of fewer answers than `enough`, its newest from before it too. */
function known({ baseline, recent }: JudgeState, enough: number): Tally {
  return baseline.requests >= Math.min(enough, recent.baseline.requests) ? baseline : recent.baseline;
}

function logFactor(state: JudgeState, block: Sides, settings: JudgeSettings): number {
  if (block.baseline.requests > 0) return logEFactor(state.recent, block);
  return logEFactorAlone({
    baseline: known(state, RECENT_ANSWERS),
    past: state.recent.candidate,
    block: block.candidate,
    alpha: settings.alpha * ALONE_SHARE,
    floor: settings.effect_floor,
  });
}

/** Takes in one look at the counters. Pure; the same look twice changes nothing. */
export function observe(
  state: JudgeState,
  figures: VersionFigures[],
  sides: JudgedSides,
  settings: JudgeSettings,
): JudgeState {
  const grown = (id: string) => growth(figuresOf(figures, id), figuresOf(state.last_figures, id));
  const candidate = grown(sides.candidate_id);
  const baseline = grown(sides.baseline_id);
  const block = { candidate, baseline };
  const logE = state.log_e + logFactor(state, block, settings);
  const succeeded = candidate.requests > candidate.errors;
  return {
    log_e: logE,
    candidate: plus(state.candidate, candidate),
    baseline: plus(state.baseline, baseline),
    recent: {
      candidate: newest(plus(state.recent.candidate, candidate)),
      baseline: newest(plus(state.recent.baseline, baseline)),
    },
    since_lowest: sinceLowest(state, logE, block),
    step_samples: state.step_samples + candidate.requests,
    latency: {
      candidate: plusEach(state.latency.candidate, candidate.latency),
      baseline: plusEach(state.latency.baseline, baseline.latency),
    },
    last_figures: furthest(state.last_figures, figures),
    failures_in_a_row: succeeded ? 0 : state.failures_in_a_row + candidate.errors,
    failure_runs: state.failure_runs + candidate.failure_runs,
  };
}

/** The next step has its own samples to gather. */
export function beginStep(state: JudgeState): JudgeState {
  return { ...state, step_samples: 0 };
}

const percent = (value: number): string => `${(100 * value).toFixed(2)} %`;
const counted = (tally: Tally): string => `${tally.errors} of ${tally.requests} (${percent(rate(tally))})`;

/** Over all, or in the stretch that the evidence comes from: who turned bad late must not be hidden behind a good past. */
function difference(state: JudgeState, settings: JudgeSettings): { overall: number; largest: number } {
  const { since_lowest: since } = state;
  const baseline = known(state, settings.minimum_samples);
  const overall = rate(state.candidate) - rate(baseline);
  const stretch = since.baseline.requests > 0 ? since.baseline : baseline;
  return { overall, largest: Math.max(overall, rate(since.candidate) - rate(stretch)) };
}

/** What a run of failures is called that no success interrupted; null while there is none. */
function runOfFailures(state: JudgeState, settings: JudgeSettings): string | null {
  const { failures_in_a_row: seen } = state;
  if (seen >= settings.failures_in_a_row)
    return `${seen} failures of the candidate and no success among them`;
  const isCounted = settings.failures_in_a_row === RUN_OF_FAILURES && state.failure_runs > 0;
  return isCounted ? `${RUN_OF_FAILURES} failures of the candidate came in a row` : null;
}

function latencySentence(bands: LatencyBands): string {
  const { candidate_p99_above_ms: candidate, baseline_p99_at_most_ms: baseline } = bands;
  const ofCandidate = candidate === null ? "not told yet" : `above ${candidate} ms`;
  const ofBaseline = baseline === null ? "not told yet" : `at most ${baseline} ms`;
  return `p99 of the candidate ${ofCandidate}, of the baseline ${ofBaseline}`;
}

/** What the evidence so far allows to say. Inconclusive never promotes. */
export function judge(state: JudgeState, settings: JudgeSettings): Verdict {
  const eValue = Math.exp(Math.min(state.log_e, 700));
  const isTimed = settings.maximum_latency_ratio !== null && state.latency.candidate.length > 0;
  const bands = isTimed ? latencyBands(state.latency, settings.alpha) : null;
  const numbers =
    `candidate failed ${counted(state.candidate)}, baseline ${counted(state.baseline)}, ` +
    `e-value ${eValue.toPrecision(3)}${bands === null ? "" : `, ${latencySentence(bands)}`}`;
  const verdict = (outcome: Verdict["outcome"], reason: string): Verdict => ({
    outcome,
    reason: `${reason}: ${numbers}.`,
    candidate: state.candidate,
    baseline: state.baseline,
    e_value: eValue,
    latency: bands,
  });
  const run = runOfFailures(state, settings);
  if (run !== null) return verdict("fail", run);
  const { overall, largest } = difference(state, settings);
  const isTold = state.candidate.requests >= Math.min(FEWEST_ANSWERS, settings.minimum_samples);
  if (isTold && eValue >= 1 / settings.alpha && largest >= settings.effect_floor) {
    return verdict("fail", `the candidate fails more often, beyond doubt at ${settings.alpha}`);
  }
  if (bands !== null && isSlower(bands, settings)) {
    const times = settings.maximum_latency_ratio;
    return verdict("fail", `the candidate is over ${times} times as slow, beyond doubt at ${settings.alpha}`);
  }
  if (state.step_samples < settings.minimum_samples) {
    const { minimum_samples: needed } = settings;
    return verdict("inconclusive", `${state.step_samples} of at least ${needed} samples at this step`);
  }
  if (overall < settings.effect_floor)
    return verdict("pass", "the candidate fails no more often than allowed");
  return verdict("inconclusive", "the candidate may fail more often, and more samples are needed to tell");
}
