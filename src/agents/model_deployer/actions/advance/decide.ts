import type { Decision } from "../../domain/plan.ts";
import type { DecisionContext } from "../../domain/requests.ts";
import { hasLostShare, type Rollout } from "../../domain/traffic/rollout.ts";
import { waitsFor } from "../../domain/servers/server_restarts.ts";
import { beginStep } from "../../judge/observe.ts";
import { secondsAfter } from "../../planning/planned_deployment.ts";
import { challengeFor, decideChallenged, isChallenged } from "./decide_challenge.ts";
import type { AdvanceFacts } from "./facts.ts";
import { isBaselineDead, type Look, lookAt, whyAlone } from "./look.ts";
import { type Advance, hold, move, rollBack } from "./outcomes.ts";
import { completeRollout, pauseRollout, serveBaselineAgain, takeStep } from "./plans.ts";

/**
 * Decides the outcome of a look at a rollout: hold the step, take the next one, complete, pause, or roll back. A paused
 * rollout is judged all the same, and a completed one until its retention period ends: both take no step, and roll
 * back.
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
  const how = rollout.status === "paused" ? "automatic, while it was paused" : "automatic";
  if (isChallenged(look)) return decideChallenged(look, how);
  const why = whyAlone(facts);
  if (why !== null) return decideAlone(look, why);
  // Traffic cannot go back to a dead server, so it is started first, with its back-off, whatever the verdict.
  if (isBaselineDead(facts)) return serveAgain(look);
  if (rollout.status === "running" && hasLostShare(rollout, facts.endpoint)) return holdWithoutShare(look);
  if (verdict.outcome === "fail") return rollBack(look, how);
  const challenged = challengeFor(look);
  if (challenged !== null) return challenged;
  return rollout.status === "paused" ? hold(look) : decideStep(look);
}

/** Nothing is left to judge, and whoever asked for the rollback may not want the candidate to have traffic again. */
function holdWithoutShare(look: Look): Advance {
  const { rollout_id, deployment_id, endpoint_name } = look.facts.rollout;
  const reason = `${deployment_id} has no traffic since a rollback that failed: resume ${endpoint_name} to give it its step's share again, or abort it`;
  return move(look, pauseRollout(look, { by: "the worker", reason }), `${rollout_id}: ${reason}`);
}

function decideStep(look: Look): Advance {
  const { verdict } = look;
  const { rollout } = look.facts;
  const looks = inconclusiveLooks(look);
  const step = rollout.steps[rollout.step_index];
  const bakedAt = secondsAfter(rollout.step_started_at, step?.bake_seconds ?? 0);
  const isBaked = Date.parse(look.context.now) >= Date.parse(bakedAt);
  const isOver = looks >= rollout.judge.maximum_inconclusive_looks;
  if (isBaked && isOver && rollout.judge.when_inconclusive !== "hold") return giveUp(look, looks);
  if (verdict.outcome === "inconclusive" || !isBaked) return hold(look, { inconclusive_looks: looks });
  return move(look, nextStep(look));
}

/** Too little traffic does not count against a candidate, though a policy may let a person decide. */
function inconclusiveLooks({ facts: { rollout }, verdict, isShortOfTraffic }: Look): number {
  if (verdict.outcome !== "inconclusive") return 0;
  const counts = !isShortOfTraffic || rollout.judge.when_inconclusive === "pause";
  return rollout.inconclusive_looks + (counts ? 1 : 0);
}

function nextStep(look: Look): Decision {
  const { rollout } = look.facts;
  const next = rollout.steps[rollout.step_index + 1];
  const begun = { ...look, state: beginStep(look.state) };
  return next === undefined ? completeRollout(begun) : takeStep(begun, next);
}

/**
 * The baseline is dead and its callers get no answer, so each step is taken as soon as the candidate's own samples
 * pass, without its bake time. A candidate that fails is held where it is until somebody decides, or the baseline is
 * back.
 */
function decideAlone(look: Look, why: string): Advance {
  const { facts, verdict } = look;
  const { rollout } = facts;
  const problem = `${rollout.rollout_id}: ${why}`;
  if (verdict.outcome === "pass" && rollout.status === "running") return move(look, nextStep(look), problem);
  const looksBad = verdict.outcome === "fail" || verdict.lacks === "evidence";
  if (!looksBad) {
    const wayOut = rollout.status === "paused" ? "resume it" : `promote-now ${rollout.endpoint_name}`;
    const open = `${problem}; its next step waits for answers of its own (${verdict.reason}): ${wayOut} to go on without them`;
    return hold(look, {}, open);
  }
  const bad = `${problem}; it looks bad, and nothing is left to go back to: deploy another version, or roll back by hand once the baseline can be started`;
  return hold(look, {}, bad);
}

/** A step that stays inconclusive is never taken: the rollout goes back, or waits for a person. */
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

function serveAgain(look: Look): Advance {
  const { rollout, previous_version, previous_restarts } = look.facts;
  const dead = `${rollout.rollout_id}: the server of the baseline ${rollout.baseline_deployment_id} does not answer`;
  const waits = waitsFor(previous_restarts);
  if (waits !== null) return hold(look, {}, `${dead}: ${waits}`);
  const problem = `${dead} and is started again`;
  const decision = previous_version === null ? null : serveBaselineAgain(look, previous_version);
  return decision === null ? hold(look, {}, problem) : move(look, decision, problem);
}

/**
 * In the retention period the replaced version is still warm, and gets the traffic back if the new one turns bad. While
 * a newer version has a share, that version's own rollout decides; if it goes back, this one is watched on.
 */
function decideWatched(look: Look): Advance {
  const { facts, context, verdict } = look;
  const { rollout, endpoint, current } = facts;
  if (current?.status !== "active") return hold(look, { next_tick_at: null });
  if (isChallenged(look)) return decideChallenged(look, "automatic, in the retention period");
  const challenged = challengeFor(look);
  if (challenged !== null) return challenged;
  const servesAlone = endpoint?.weights[rollout.deployment_id] === 100;
  if (verdict.outcome !== "fail" || !servesAlone) {
    const isOver = Date.parse(context.now) >= Date.parse(rollout.watched_until ?? context.now);
    return hold(look, isOver ? { next_tick_at: null } : {});
  }
  if (facts.previous_server === "ready") return rollBack(look, "automatic, in the retention period");
  const target = facts.previous?.deployment_id ?? "its predecessor";
  const problem = `${rollout.deployment_id} is bad and is not rolled back by itself, because ${target} does not answer: ${verdict.reason}`;
  return hold(look, {}, problem);
}
