import { beginStep } from "./canary_judge.ts";
import { completeRollout, holdRollout, pauseRollout, serveBaselineAgain, takeStep } from "./advance_plans.ts";
import type { ChangeOf } from "./changes.ts";
import { planRollback } from "./decide_rollback.ts";
import type { Decision } from "./plan.ts";
import { secondsAfter } from "./planned_deployment.ts";
import type { DecisionContext } from "./requests.ts";
import type { Rollout, Verdict } from "./rollout.ts";
import { type AdvanceFacts, isBaselineDead, type Look, lookAt } from "./rollout_look.ts";

export type Advance =
  | { advance: "nothing"; why: string }
  /** It should be moved and cannot be: somebody has to look. */
  | { advance: "stuck"; why: string }
  /** `problem` says what a person should know though it moves no traffic. */
  | { advance: "hold"; change: ChangeOf<"move_rollout">; verdict: Verdict; problem: string | null }
  | { advance: "move"; decision: Decision; verdict: Verdict; problem: string | null };

/**
 * What the next look at a rollout leads to: hold the step, take the next one, complete, pause, or roll back. One that is
 * paused is judged all the same, and one that is completed until its retention period ends: both take no step, and roll back.
 */
export function decideAdvance(facts: AdvanceFacts, context: DecisionContext): Advance {
  const { rollout } = facts;
  if (rollout.status === "rolled_back" || rollout.status === "aborted" || isNoLongerWatched(rollout)) {
    return { advance: "nothing", why: `${rollout.rollout_id} is ${rollout.status}` };
  }
  const look = lookAt(facts, context);
  return rollout.status === "completed" ? decideWatched(look) : decideOpen(look);
}

const isNoLongerWatched = ({ status, watched_until }: Rollout): boolean =>
  status === "completed" && watched_until === null;

function decideOpen(look: Look): Advance {
  const { facts, verdict } = look;
  const { rollout } = facts;
  if (verdict.outcome === "fail") {
    return rollBack(look, rollout.status === "paused" ? "automatic, while it was paused" : "automatic");
  }
  if (isBaselineDead(facts)) return serveAgain(look);
  if (rollout.status === "paused") return hold(look);
  const looks = verdict.outcome === "inconclusive" ? rollout.inconclusive_looks + 1 : 0;
  const step = rollout.steps[rollout.step_index];
  const bakedAt = secondsAfter(rollout.step_started_at, step?.bake_seconds ?? 0);
  const isBaked = Date.parse(look.context.now) >= Date.parse(bakedAt);
  if (isBaked && looks >= rollout.judge.maximum_inconclusive_looks) return giveUp(look, looks);
  if (verdict.outcome === "inconclusive" || !isBaked) return hold(look, { inconclusive_looks: looks });
  const next = rollout.steps[rollout.step_index + 1];
  const begun = { ...look, state: beginStep(look.state) };
  return move(look, next === undefined ? completeRollout(begun) : takeStep(begun, next));
}

const move = ({ verdict }: Look, decision: Decision): Advance => ({
  advance: "move",
  decision,
  verdict,
  problem: null,
});

function hold(
  look: Look,
  to: Partial<ChangeOf<"move_rollout">> = {},
  problem: string | null = null,
): Advance {
  return { advance: "hold", change: holdRollout(look, to), verdict: look.verdict, problem };
}

/** Nobody rolls out on a guess: what stays inconclusive goes back, or waits for a person. */
function giveUp(look: Look, looks: number): Advance {
  const { rollout } = look.facts;
  const verdict = {
    ...look.verdict,
    reason: `no verdict after ${looks} looks: ${look.verdict.reason}`,
  };
  const told = { ...look, verdict };
  return rollout.judge.when_inconclusive === "pause"
    ? move(told, pauseRollout(told))
    : rollBack(told, "automatic");
}

/** What a dead baseline answers is no measure for the candidate: such a look counts for nothing. */
function serveAgain(look: Look): Advance {
  const { rollout, figures, previous_version } = look.facts;
  const uncounted = { ...look, state: { ...rollout.judge_state, last_figures: figures } };
  const baseline = rollout.baseline_deployment_id;
  const problem = `${rollout.rollout_id}: the server of the baseline ${baseline} does not answer and is started again`;
  const decision = previous_version === null ? null : serveBaselineAgain(uncounted, previous_version);
  if (decision === null) return hold(uncounted, {}, problem);
  return { advance: "move", decision, verdict: look.verdict, problem };
}

/**
 * In the retention period the replaced version is still warm; it gets the traffic back if the new one turns bad. While a
 * newer version has a share, that one's own rollout decides; if it goes back, the watch of this one goes on.
 */
function decideWatched(look: Look): Advance {
  const { facts, context, verdict } = look;
  const { rollout, endpoint, current } = facts;
  if (current?.status !== "active") return hold(look, { next_tick_at: null });
  const servesAlone = endpoint?.weights[rollout.deployment_id] === 100;
  if (verdict.outcome !== "fail" || !servesAlone) {
    const isOver = Date.parse(context.now) >= Date.parse(rollout.watched_until ?? context.now);
    return hold(look, isOver ? { next_tick_at: null } : {});
  }
  if (facts.previous_is_ready) return rollBack(look, "automatic, in the retention period");
  const target = facts.previous?.deployment_id ?? "its predecessor";
  const problem = `${rollout.deployment_id} is bad and is not rolled back by itself, because ${target} does not answer: ${verdict.reason}`;
  return hold(look, {}, problem);
}

function rollBack({ facts, context, state, verdict }: Look, how: string): Advance {
  const { rollout, current, endpoint, previous } = facts;
  const { previous_version: previousVersion, current_version: currentVersion } = facts;
  const isLost =
    current === null ||
    endpoint === null ||
    previous === null ||
    previousVersion === null ||
    currentVersion === null;
  if (isLost) {
    return {
      advance: "stuck",
      why: `${rollout.rollout_id} has lost its endpoint or one of its deployments: ${verdict.reason}`,
    };
  }
  const { previous_is_ready: warm, figures } = facts;
  const live = { figures };
  const turn = { current, currentVersion, endpoint, previous, previousVersion, rollout, warm, live };
  const decision = planRollback(turn, `${how}: ${verdict.reason}`, context, { state, verdict });
  return { advance: "move", decision, verdict, problem: null };
}
