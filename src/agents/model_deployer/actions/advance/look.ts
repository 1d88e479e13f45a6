import type { JudgeState, Verdict } from "../../domain/evidence/judgement.ts";
import {
  noCounts,
  noPredictions,
  type PredictionEvidence,
} from "../../domain/evidence/compared_predictions.ts";
import type { KeptLook } from "../../domain/evidence/kept_look.ts";
import type { Life } from "../../domain/servers/liveness.ts";
import type { DecisionContext } from "../../domain/requests.ts";
import type { Rollout } from "../../domain/traffic/rollout.ts";
import { failedStarts, isGivenUp } from "../../domain/servers/server_restarts.ts";
import { endChallenge } from "../../judge/challenge/challenge.ts";
import { sidesOf } from "../../judge/counts/live_figures.ts";
import { isShortOfTraffic } from "../../judge/needed_answers.ts";
import { isKept } from "../../judge/judged_again.ts";
import { observe, observeAlone, type Sharing, sharingOf } from "../../judge/observe.ts";
import { addMetrics } from "../../judge/evidence/metric_evidence.ts";
import { addPredictions } from "../../judge/evidence/prediction_evidence.ts";
import { judge, judgeAlone } from "../../judge/verdict.ts";
import { paceText } from "../../planning/wording/pace.ts";
import type { AdvanceFacts } from "./facts.ts";

/** The facts of one look at a rollout, with the verdict. */
export interface Look {
  facts: AdvanceFacts;
  context: DecisionContext;
  state: JudgeState;
  verdict: Verdict;
  /** The part of it that is kept; null where it is left out. */
  kept: KeptLook | null;
  /** Inconclusive because too few requests come, not because a difference has yet to show. */
  isShortOfTraffic: boolean;
}

export function lookAt(facts: AdvanceFacts, context: DecisionContext): Look {
  const { rollout } = facts;
  const both_hung_at = hungTogetherAt(facts, context);
  const sharing = sharingNow(facts, both_hung_at);
  const state = {
    ...stateAfter(facts, sharing),
    both_hung_at,
    outcomes: facts.outcomes,
    predictions: predictionsAfter(facts, sharing, context),
    metrics: addMetrics(
      rollout.judge_state.metrics,
      rollout.judge.metrics,
      facts.metrics,
      { ...sharing, answer_seconds: facts.answer_seconds },
      Date.parse(context.now),
    ),
  };
  const why = whyAlone(facts);
  const judged =
    why === null ? judge(state, rollout.judge, needsBound(rollout)) : judgeAlone(state, rollout.judge);
  const verdict =
    both_hung_at === null
      ? withLife(judged, facts.candidate_life)
      : whileBothHang(judged, facts.candidate_life);
  const seen = withUnknownOutcomes(verdict, facts);
  const isShort = isShortOfTraffic({ lacks: verdict.lacks, state, share: sharing.share }, rollout.judge);
  const paced = isShort ? { ...seen, reason: `${seen.reason} ${paceOf(rollout, state, context)}` } : seen;
  const said = why === null ? paced : because(paced, why);
  return {
    ...keeping(facts, context, { state, sharing, verdict: said }),
    isShortOfTraffic: isShort || verdict.lacks === "outcomes" || verdict.lacks === "metrics",
  };
}

/** While both sides hang nothing is compared. */
function sharingNow({ rollout, endpoint }: AdvanceFacts, both_hung_at: string | null): Sharing {
  const sharing = sharingOf(sidesOf(rollout), endpoint);
  return both_hung_at === null ? sharing : { ...sharing, generation: null };
}

/** Keeps the look, or leaves it out where those that are kept say as much. */
function keeping(
  facts: AdvanceFacts,
  context: DecisionContext,
  { state, sharing, verdict }: { state: JudgeState; sharing: Sharing; verdict: Verdict },
): Omit<Look, "isShortOfTraffic"> {
  const { rollout, candidate_life } = facts;
  const { judge_state: before } = rollout;
  const { now } = context;
  const hasChanged = before.generation !== sharing.generation || rollout.verdict?.outcome !== verdict.outcome;
  const answered = ({ candidate, baseline }: JudgeState) => candidate.requests + baseline.requests;
  const hasAnswers = answered(state) > answered(before);
  if (!isKept(before, { hasChanged, hasAnswers, now })) {
    return { facts, context, state, verdict, kept: null };
  }
  const { first_at, count } = before.looks ?? { first_at: now, count: 0 };
  const { candidate_id, baseline_id } = sidesOf(rollout);
  const kept: KeptLook = {
    looked_at: now,
    status: rollout.status,
    step_index: rollout.step_index,
    ...sharing,
    needs_bound: needsBound(rollout),
    alone: isBaselineDead(facts),
    challenged: before.challenged_for !== null,
    answers: candidate_life.life === "alive" && state.both_hung_at === null,
    figures: facts.figures.filter(({ deployment_id: id }) => id === candidate_id || id === baseline_id),
    outcomes: state.outcomes === null ? null : { ...state.outcomes, pending: {} },
    predictions:
      state.predictions === null
        ? null
        : { ...state.predictions, positions: {}, awaited: [], pending: noCounts },
    metrics: state.metrics,
    outcome: verdict.outcome,
    reason: verdict.reason,
  };
  const looks = { first_at, last_at: now, count: count + 1 };
  return { facts, context, state: { ...state, looks }, verdict, kept };
}

function predictionsAfter(
  { rollout, predictions: logs, answer_seconds }: AdvanceFacts,
  sharing: Sharing,
  { now }: DecisionContext,
): PredictionEvidence | null {
  const { predictions: before } = rollout.judge_state;
  if (rollout.judge.predictions === null || logs === null) return before;
  return addPredictions(before ?? noPredictions, logs, { ...sharing, answer_seconds }, Date.parse(now));
}

function withUnknownOutcomes(
  verdict: Verdict,
  { outcomes_missing, predictions_missing }: AdvanceFacts,
): Verdict {
  const missing = [
    ...(outcomes_missing === null ? [] : [`Newer outcomes are not known: ${outcomes_missing}`]),
    ...(predictions_missing === null ? [] : [`Newer predictions are not known: ${predictions_missing}`]),
  ];
  return missing.length === 0 ? verdict : { ...verdict, reason: [verdict.reason, ...missing].join(" ") };
}

/**
 * How far apart the hangs of both sides may lie and still count as one: each server comes out of it at its own
 * moment.
 */
const APART_SECONDS = 60;

/**
 * When predictions of both sides hung last, while that is still no reason to hold either against the other: both wait for
 * something that neither is to blame for, and each server is stuck, or replaced, at a moment of its own. Null otherwise.
 */
function hungTogetherAt(
  { rollout, candidate_hangs, previous_hangs }: AdvanceFacts,
  { now }: DecisionContext,
): string | null {
  if (candidate_hangs && previous_hangs) return now;
  const { both_hung_at: before } = rollout.judge_state;
  const isRecent = before !== null && Date.parse(now) - Date.parse(before) < APART_SECONDS * 1000;
  return isRecent ? before : null;
}

function whileBothHang(judged: Verdict, life: Life): Verdict {
  if (judged.outcome === "fail" || life.life === "gone") return withLife(judged, life);
  const why = "predictions of both sides hang, or did until just now, and nothing is held against either";
  return because({ ...judged, outcome: "inconclusive", lacks: "server" }, why);
}

function stateAfter(facts: AdvanceFacts, sharing: Sharing): JudgeState {
  const { rollout, figures, endpoint } = facts;
  const sides = sidesOf(rollout);
  const state = isBaselineDead(facts)
    ? observeAlone(rollout.judge_state, figures, sides, rollout.judge)
    : observe(rollout.judge_state, figures, sides, sharing, rollout.judge);
  const hasControl = (endpoint?.weights[sides.baseline_id] ?? 0) > 0;
  return state.challenged_for !== null && !hasControl ? endChallenge(state, false) : state;
}

/** With all traffic at the candidate nothing can be compared any more, so the bound is required before that. */
const needsBound = ({ status, step_index, steps }: Rollout): boolean =>
  status !== "completed" && step_index === steps.length - 2;

/** The answers per second in this step so far. */
function paceOf({ step_started_at }: Rollout, state: JudgeState, { now }: DecisionContext): string {
  const seconds = Math.max(1, (Date.parse(now) - Date.parse(step_started_at)) / 1000);
  const { step_samples: samples } = state;
  if (samples === 0) return "No request has come to the candidate at this step.";
  return `The candidate gives ${paceText(samples / seconds, "answers")}.`;
}

/** A server that missed a probe is neither failed nor passed: the step is held until it answers or counts as dead. */
function withLife(judged: Verdict, life: Life): Verdict {
  switch (life.life) {
    case "alive":
      return judged;
    case "missed":
      return judged.outcome === "pass"
        ? {
            ...judged,
            outcome: "inconclusive",
            lacks: "server",
            reason: `the candidate's server: ${life.why}: ${judged.reason}`,
          }
        : judged;
    case "gone":
    case "silent":
      return because(
        { ...judged, outcome: "fail", lacks: null },
        `the candidate's server does not answer (${life.why})`,
      );
    default:
      return life satisfies never;
  }
}

const because = (verdict: Verdict, why: string): Verdict => ({
  ...verdict,
  reason: `${why}: ${verdict.reason}`,
});

/** The baseline has a share of the traffic, and no process. A look never restarts a process that runs. */
export function isBaselineDead({ rollout, endpoint, previous, previous_life }: AdvanceFacts): boolean {
  const share = endpoint?.weights[rollout.baseline_deployment_id] ?? 0;
  return (
    share > 0 && previous?.deployment_id === rollout.baseline_deployment_id && previous_life.life === "gone"
  );
}

/** Why the candidate is judged without a baseline; null while the baseline answers, or may again. */
export function whyAlone(facts: AdvanceFacts): string | null {
  const { rollout, previous_restarts: restarts } = facts;
  if (!isBaselineDead(facts) || !isGivenUp(restarts)) return null;
  return `the baseline ${rollout.baseline_deployment_id} is dead, ${failedStarts(restarts)}, and the candidate is judged alone`;
}
