/** Rollouts as the specification tells them: how careful they are, what moves them, and what a person may do with them. */
import { drain, type Lifecycle, openRollout, type Outcome, type Rollout, route, takeBack } from "./life.ts";

/** As callers ask for them: the share of each step, and how long it is watched. */
export const STEPS = [
  { weight: 10, hours: 0 },
  { weight: 50, hours: 0.5 },
  { weight: 100, hours: 0 },
] as const;
const SAMPLES = 50;
const MOST_CAUTION = 3;

const recent = ({ rollbacks }: Lifecycle) => rollbacks.filter((hours) => hours < 1);

/** One degree for each rollback, less one for two rollouts that went well; those of the last hour count in any case. */
function cautionIn(life: Lifecycle): number {
  const remembered = life.rollbacks.length - Math.floor(life.completions / 2);
  return Math.min(MOST_CAUTION, Math.max(0, remembered, recent(life).length));
}

/** Two rollbacks within an hour hold an endpoint up for ten minutes, each further one for twice as long. */
export function isHeldUp(life: Lifecycle): boolean {
  const { length } = recent(life);
  return length >= 2 && Math.min(...recent(life)) < Math.min(1, 2 ** (length - 2) / 6);
}

/** Gives a deployment that replaces another its first traffic. */
export function begin(life: Lifecycle, candidate: string, baseline: string, isAtOnce: boolean): void {
  const counts = { step: 0, answers: 0, unseen: 0, hours: 0 };
  const caution = cautionIn(life);
  if (isAtOnce) {
    drain(life, baseline);
    route(life, { [candidate]: 100 });
    life.rollout = { candidate, baseline, status: "completed", isAtOnce, caution, ...counts };
    return;
  }
  const first = Math.floor(STEPS[0].weight / 2 ** caution);
  route(life, { [baseline]: 100 - first, [candidate]: first });
  life.rollout = { candidate, baseline, status: "running", isAtOnce, caution, ...counts };
}

/** A look takes no step: the one in force has too few answers yet, of which all were seen. */
export function isAwaitingAnswers(life: Readonly<Lifecycle>): boolean {
  const rollout = openRollout(life);
  return rollout !== null && rollout.unseen === 0 && rollout.answers < SAMPLES;
}

/**
 * The worker looks at the rollout while its candidate answers; each step needs answers of its own. The last step, which
 * nothing bakes, ends the rollout at once. One that is paused takes no step.
 */
export function look(life: Lifecycle): void {
  const rollout = openRollout(life);
  if (rollout === null) return;
  rollout.answers += rollout.unseen;
  rollout.unseen = 0;
  const baked = (STEPS[rollout.step]?.hours ?? 0) * (1 + rollout.caution);
  if (rollout.status === "paused" || rollout.answers < SAMPLES || rollout.hours < baked) return;
  rollout.answers = 0;
  rollout.hours = 0;
  rollout.step += 1;
  const weight = STEPS[rollout.step]?.weight ?? 100;
  if (weight < 100) {
    route(life, { [rollout.baseline]: 100 - weight, [rollout.candidate]: weight });
  } else {
    complete(life, rollout);
    life.completions += 1;
  }
}

function complete(life: Lifecycle, rollout: Rollout): void {
  const deployment = life.deployments[rollout.candidate];
  if (deployment !== undefined) deployment.status = "active";
  rollout.status = "completed";
  rollout.step = STEPS.length - 1;
  route(life, { [rollout.candidate]: 100 });
  drain(life, rollout.baseline);
}

/** The judge finds the candidate bad, in its rollout or after it. */
export function fail(life: Lifecycle): void {
  const { rollout } = life;
  if (rollout !== null && takeBack(life, rollout.candidate, "rolled_back")) rollout.status = "rolled_back";
}

export type Control = "pause" | "resume" | "abort" | "promote_now";

export function control(life: Lifecycle, verb: Control, approved: boolean): Outcome {
  const { rollout } = life;
  if (rollout === null) return "not_found";
  const already = { pause: "paused", resume: "running", abort: "aborted", promote_now: "completed" } as const;
  if (rollout.status === already[verb]) return "done";
  if (openRollout(life) === null) return "conflict";
  if (verb === "pause" || verb === "resume") {
    rollout.status = already[verb];
    return "done";
  }
  if (verb === "promote_now") {
    if (!approved) return "approval_required";
    complete(life, rollout);
    return "done";
  }
  if (!takeBack(life, rollout.candidate, "aborted")) return "rollback_failed";
  rollout.status = "aborted";
  return "done";
}
