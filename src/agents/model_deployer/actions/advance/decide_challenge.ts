import { beginChallenge, endChallenge, isCleared, needsControl } from "../../judge/challenge/challenge.ts";
import { LOOK_SECONDS, secondsAfter } from "../../planning/planned_deployment.ts";
import type { Look } from "./look.ts";
import { type Advance, hold, move, rollBack } from "./outcomes.ts";
import { challenge, endOfChallenge } from "./challenge_plans.ts";

/** How many seconds before the stop of the baseline's server its share goes back to the candidate. */
const LAST_SECONDS = 10;

export const isChallenged = ({ state }: Look): boolean => state.challenged_for !== null;

/** Null while there is no reason for a challenge; without a warm baseline the look says that nothing can decide. */
export function challengeFor(look: Look): Advance | null {
  const { facts, state, verdict } = look;
  const { rollout, endpoint, previous_server, candidate_life } = facts;
  const servesAlone = endpoint?.weights[rollout.deployment_id] === 100;
  if (isAboutToEnd(look)) return null;
  if (!servesAlone || !needsControl(state) || verdict.outcome === "fail" || candidate_life.life !== "alive")
    return null;
  const { deployment_id: candidate, baseline_deployment_id: baseline } = rollout;
  if (facts.previous?.deployment_id === baseline && previous_server === "ready")
    return move(look, challenge(look, beginChallenge(state)));
  const problem = `${candidate} looks worse than ${baseline} did before, and that cannot be checked, because ${baseline} does not answer: ${verdict.reason}`;
  return hold(look, {}, problem);
}

/** A challenge under way ends by a rollback, or with all traffic at the candidate again. */
export function decideChallenged(look: Look, how: string): Advance {
  const { facts, context, state, verdict } = look;
  const { rollout, previous_life } = facts;
  if (previous_life.life === "gone") {
    const why = `the server of ${rollout.baseline_deployment_id} is gone`;
    return move(look, endOfChallenge(look, endChallenge(state, false), why), `${rollout.rollout_id}: ${why}`);
  }
  if (verdict.outcome === "fail") return rollBack(look, how);
  const ended = (why: string, isPassed: boolean) =>
    move(look, endOfChallenge(look, endChallenge(state, isPassed), why));
  if (isCleared(state, verdict, rollout.judge)) return ended("the candidate is no worse", true);
  if (isAboutToEnd(look)) return ended("its time is over", false);
  return hold(look, { next_tick_at: secondsAfter(context.now, LOOK_SECONDS) });
}

function isAboutToEnd({ facts: { rollout }, context: { now } }: Look): boolean {
  const { status, watched_until: until } = rollout;
  return status === "completed" && until !== null && now >= secondsAfter(until, -LAST_SECONDS);
}
