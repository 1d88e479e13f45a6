import {
  type JudgeSettings,
  type JudgeState,
  noneRecent,
  type Verdict,
} from "../../domain/evidence/judgement.ts";
import { beginStep } from "../observe.ts";
import { isAllayed, isSuspicious, passedChallenge, suspectedShare } from "./suspicion.ts";
import { speaksAgainst } from "../verdict.ts";
import { nothingExcluded, worseByAtMost } from "../worse_by.ts";

/**
 * A candidate with all traffic that looks worse than its baseline did before has no control: the baseline might do no
 * better now. So the warm baseline gets a share again, and the comparison decides.
 */

/** The candidate's share during a challenge, in percent: no more than the baseline's, since load alone makes slower. */
export const CHALLENGED_WEIGHT = 50;

/** Whether the candidate looks worse than the baseline did before, which only a control can confirm. */
export const needsControl = (state: JudgeState): boolean =>
  isSuspicious(state.suspicion) || alarmsOf(state) > state.challenged_losses.answered;

const alarmsOf = ({ outcomes }: JudgeState): number => outcomes?.alone.alarms ?? 0;
const comparedLosses = ({ outcomes }: JudgeState): number =>
  (outcomes?.candidate.outcomes ?? 0) + (outcomes?.baseline.outcomes ?? 0);

/** Outcomes of both sides that a challenge for the candidate's losses waits for. */
const LOSSES_OF_A_CHALLENGE = 400;

/** Discards the answers that caused the suspicion: a selected period would bias the comparison. */
export function beginChallenge(state: JudgeState): JudgeState {
  const challenged_for = suspectedShare(state.suspicion);
  const recent = { ...state.recent, candidate: noneRecent };
  const isForLosses = alarmsOf(state) > state.challenged_losses.answered;
  const challenged_losses = {
    answered: alarmsOf(state),
    compared: isForLosses ? comparedLosses(state) : null,
  };
  return {
    ...beginStep(state),
    excluded: nothingExcluded,
    recent,
    challenged_for,
    challenged_losses,
  };
}

/**
 * Whether no evidence is left against the candidate, being worse by half of the suspected share (or by the margin) is
 * excluded, and the suspicion itself is over or usual by now.
 */
export function isCleared(
  state: JudgeState,
  verdict: Pick<Verdict, "outcome">,
  settings: JudgeSettings,
): boolean {
  const { challenged_for: suspected, suspicion, excluded, step_samples } = state;
  if (suspected === null || verdict.outcome === "fail" || step_samples < settings.minimum_samples)
    return false;
  const { compared } = state.challenged_losses;
  if (compared !== null && comparedLosses(state) < compared + LOSSES_OF_A_CHALLENGE) return false;
  const bound = worseByAtMost(excluded.bets, settings.alpha);
  const isExcluded = bound !== null && bound <= Math.max(settings.margin, suspected / 2);
  return isExcluded && isAllayed(suspicion) && !speaksAgainst(state, settings);
}

/** @param isPassed whether the comparison has cleared the candidate, rather than that it came to no end */
export const endChallenge = (state: JudgeState, isPassed: boolean): JudgeState => ({
  ...beginStep(state),
  recent: { ...state.recent, candidate: noneRecent },
  latency_alone: isPassed ? passedChallenge(state.latency_alone) : state.latency_alone,
  challenged_for: null,
  challenged_losses: { answered: alarmsOf(state), compared: null },
  suspicion: [],
});
