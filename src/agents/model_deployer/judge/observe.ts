import type { Endpoint } from "../domain/entities.ts";
import type { VersionFigures } from "../domain/evidence/figures.ts";
import {
  type JudgeSettings,
  type JudgeState,
  noEvidences,
  noneLately,
  noneOfBoth,
  noneRecent,
  type SignalEvidence,
  unknownAlone,
} from "../domain/evidence/judgement.ts";
import { figuresOf, furthest, growthForCallers, newest, plusBoth } from "./counts/answers.ts";
import { compare } from "./comparison.ts";
import { aloneAfter, suspect } from "./challenge/suspicion.ts";
import { nothingExcluded } from "./worse_by.ts";

export interface JudgedSides {
  candidate_id: string;
  baseline_id: string;
}

/** How the answers of a look were shared out. */
export interface Sharing {
  /** Generation of the route in force; null while another one is wanted. */
  generation: number | null;
  /** The candidate's part of what both sides got, between 0 and 1. */
  share: number;
}

export function sharingOf(sides: JudgedSides, endpoint: Endpoint | null): Sharing {
  if (endpoint === null) return { generation: null, share: 0 };
  const { generation, observed_generation, weights } = endpoint;
  const candidate = weights[sides.candidate_id] ?? 0;
  const both = candidate + (weights[sides.baseline_id] ?? 0);
  return {
    generation: observed_generation === generation ? generation : null,
    share: both === 0 ? 0 : candidate / both,
  };
}

/** The baseline's earlier answers are not judged, but serve as the first estimate of its rates. */
export function newJudgeState(figures: VersionFigures[], baselineId?: string): JudgeState {
  const before = baselineId === undefined ? undefined : figuresOf(figures, baselineId);
  return {
    ...noneOfBoth,
    step_samples: 0,
    recent: { candidate: noneRecent, baseline: newest(noneRecent, growthForCallers(before, undefined)) },
    generation: null,
    looks_under_weights: 0,
    pending: noneOfBoth,
    last: null,
    evidence: noEvidences,
    lately: { candidate: noneLately, baseline: noneLately },
    excluded: nothingExcluded,
    suspicion: [],
    challenged_for: null,
    latency_alone: unknownAlone,
    warm_looks: 0,
    both_hung_at: null,
    looks: null,
    outcomes: null,
    challenged_losses: { answered: 0, compared: null },
    predictions: null,
    metrics: {},
    last_figures: figures,
  };
}

/** Adds one reading of the counters to the state. Pure; the same reading twice changes nothing. */
export function observe(
  state: JudgeState,
  figures: VersionFigures[],
  sides: JudgedSides,
  sharing: Sharing,
  settings: JudgeSettings,
): JudgeState {
  const grown = (id: string) => growthForCallers(figuresOf(figures, id), figuresOf(state.last_figures, id));
  const block = { candidate: grown(sides.candidate_id), baseline: grown(sides.baseline_id) };
  const { recent } = state;
  const seen = {
    ...state,
    ...plusBoth(state, block),
    step_samples: state.step_samples + block.candidate.requests,
    warm_looks: Math.min(1000, state.warm_looks + (block.candidate.requests > 0 ? 1 : 0)),
    suspicion: suspect(state, block.candidate, settings.effect_floor),
    last_figures: furthest(state.last_figures, figures),
  };
  const compared =
    sharing.generation === null || sharing.generation !== state.generation
      ? beginStretch(seen, figures, sides, sharing)
      : compare(seen, block, sharing.share, settings.alpha);
  const newer = {
    candidate: newest(recent.candidate, block.candidate),
    baseline: newest(recent.baseline, block.baseline),
  };
  return { ...compared, recent: newer, latency_alone: aloneAfter(state, newer.candidate) };
}

/**
 * Starts a new stretch under changed weights: answers up to this look came under both and are not compared, and
 * requests in flight now may have come under the old weights.
 */
function beginStretch(
  state: JudgeState,
  figures: VersionFigures[],
  { candidate_id, baseline_id }: JudgedSides,
  { generation }: Sharing,
): JudgeState {
  const inFlight = (id: string) => figuresOf(figures, id)?.in_flight ?? 0;
  const carrying = (signal: SignalEvidence) => ({ ...signal, carried: inFlight(candidate_id) });
  return {
    ...state,
    generation,
    looks_under_weights: 0,
    pending: noneOfBoth,
    last: null,
    evidence: {
      errors: carrying(state.evidence.errors),
      client_errors: carrying(state.evidence.client_errors),
      latency: carrying(state.evidence.latency),
    },
    excluded: { ...state.excluded, carried: inFlight(baseline_id) },
  };
}

/** Without a living baseline its present answers say nothing, and the candidate is compared with its earlier ones. */
export function observeAlone(
  state: JudgeState,
  figures: VersionFigures[],
  sides: JudgedSides,
  settings: JudgeSettings,
): JudgeState {
  const ofBaseline = (one: VersionFigures) => one.deployment_id === sides.baseline_id;
  const others = figures.filter((one) => !ofBaseline(one));
  const seen = observe(state, others, sides, { generation: null, share: 0 }, settings);
  const passedOver = figures.filter(ofBaseline);
  if (passedOver.length === 0) return seen;
  return { ...seen, last_figures: [...seen.last_figures.filter((one) => !ofBaseline(one)), ...passedOver] };
}

/** Starts the next step's own count of samples. */
export const beginStep = (state: JudgeState): JudgeState => ({ ...state, step_samples: 0 });
