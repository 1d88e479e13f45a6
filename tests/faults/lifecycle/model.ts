/**
 * The lifecycle as its specification tells it, small enough to be read at once and without a line of the product: what a
 * caller may ask for, what is refused, and what serves afterwards. Deployments are `d1`, `d2`, and so on.
 */

export type Stage = "development" | "staging" | "shadow" | "production" | "archived";
export type Target = "staging" | "shadow" | "production";
/** `done`, or the code of the error. */
export type Outcome = string;

interface Deployment {
  run: string;
  target: Target;
  status: "deploying" | "active" | "draining" | "rolled_back";
  /** Counts of the endpoint's switches: when it first and last had weight. */
  first: number | null;
  last: number | null;
}

export interface Lifecycle {
  stages: Record<string, Stage>;
  deployments: Record<string, Deployment>;
  /** Of the endpoint that callers use. */
  weights: Record<string, number>;
  mirror: { name: string; hours: number; requests: number } | null;
  staging: string | null;
  /** `unseen` came since the worker looked. */
  rollout: { candidate: string; baseline: string; step: number; answers: number; unseen: number } | null;
  switches: number;
}

/** Of four runs the last one misses the criteria. */
export const RUNS = ["run1", "run2", "run3", "run4", "poor"] as const;
export const STEPS = [10, 50, 100] as const;
export const NEXT: Readonly<Record<Stage, Stage | null>> = {
  development: "staging",
  staging: "shadow",
  shadow: "production",
  production: "archived",
  archived: null,
};
const SHADOW_HOURS = 24;
const SHADOW_REQUESTS = 1_000;
const SAMPLES = 50;

export function newLifecycle(): Lifecycle {
  return {
    stages: {},
    deployments: {},
    weights: {},
    mirror: null,
    staging: null,
    rollout: null,
    switches: 0,
  };
}

export function register(life: Lifecycle, run: string): Outcome {
  life.stages[run] ??= "development";
  return "done";
}

export function promote(life: Lifecycle, run: string, to: Stage, approved: boolean): Outcome {
  const from = life.stages[run];
  if (from === undefined) return "not_found";
  if (NEXT[from] !== to) return "invalid_promotion_path";
  if (to !== "production" && to !== "archived") {
    life.stages[run] = to;
    return "done";
  }
  if (life.rollout !== null) return "conflict";
  if (to === "production" && !mayGoToProduction(life, run)) return "production_criteria_not_met";
  if (!approved) return "approval_required";
  if (to === "archived") archive(life, run);
  for (const [other, stage] of Object.entries(life.stages)) {
    if (to === "production" && stage === "production") life.stages[other] = "archived";
  }
  life.stages[run] = to;
  return "done";
}

function mayGoToProduction(life: Lifecycle, run: string): boolean {
  const { mirror } = life;
  if (run === "poor" || mirror === null) return false;
  const isOwn = life.deployments[mirror.name]?.run === run;
  return isOwn && mirror.hours >= SHADOW_HOURS && mirror.requests >= SHADOW_REQUESTS;
}

/** What served ends; what served beside one that was never deployed is at production again. */
function archive(life: Lifecycle, run: string): void {
  const [serving] = Object.keys(life.weights);
  const deployment = serving === undefined ? undefined : life.deployments[serving];
  if (deployment === undefined) return;
  if (deployment.run === run) {
    deployment.status = "draining";
    route(life, {});
  } else if (life.stages[deployment.run] === "archived") {
    life.stages[deployment.run] = "production";
  }
}

export function deploy(
  life: Lifecycle,
  run: string,
  target: Target,
  how: { atOnce: boolean; approved: boolean },
): Outcome {
  const stage = life.stages[run];
  if (stage === undefined) return "not_found";
  if (stage !== target) return "stage_mismatch";
  const name = `d${Object.keys(life.deployments).length + 1}`;
  if (target === "production") return deployToProduction(life, run, name, how);
  life.deployments[name] = { run, target, status: "active", first: null, last: null };
  if (target === "staging") {
    drain(life, life.staging);
    life.staging = name;
  } else {
    drain(life, life.mirror?.name ?? null);
    life.mirror = { name, hours: 0, requests: 0 };
    route(life, life.weights);
  }
  return "done";
}

function deployToProduction(
  life: Lifecycle,
  run: string,
  name: string,
  { atOnce, approved }: { atOnce: boolean; approved: boolean },
): Outcome {
  if (life.rollout !== null) return "conflict";
  const [baseline] = Object.keys(life.weights);
  if (baseline !== undefined && atOnce && !approved) return "approval_required";
  if (life.mirror !== null && life.deployments[life.mirror.name]?.run === run) {
    drain(life, life.mirror.name);
    life.mirror = null;
  }
  const status = baseline === undefined || atOnce ? "active" : "deploying";
  life.deployments[name] = { run, target: "production", status, first: null, last: null };
  if (baseline === undefined) {
    route(life, { [name]: 100 });
  } else if (atOnce) {
    drain(life, baseline);
    route(life, { [name]: 100 });
  } else {
    life.rollout = { candidate: name, baseline, step: 0, answers: 0, unseen: 0 };
    route(life, { [baseline]: 100 - STEPS[0], [name]: STEPS[0] });
  }
  return "done";
}

export function rollBack(life: Lifecycle, name: string): Outcome {
  const current = life.deployments[name];
  if (current === undefined) return "not_found";
  const isCandidate = life.rollout?.candidate === name;
  if (current.target !== "production" || (current.status !== "active" && !isCandidate))
    return "rollback_failed";
  if (life.rollout?.baseline === name) return "rollback_failed";
  const previousName = previousOf(life, name);
  const previous = previousName === null ? undefined : life.deployments[previousName];
  if (previousName === null || previous === undefined) return "rollback_failed";
  current.status = "rolled_back";
  previous.status = "active";
  life.rollout = null;
  route(life, { [previousName]: 100 });
  if (current.run !== previous.run && life.stages[current.run] === "production") {
    life.stages[current.run] = "archived";
    if (life.stages[previous.run] === "archived") life.stages[previous.run] = "production";
  }
  return "done";
}

/** Of those that had weight before it first had any, and have not failed since: the one that had it last. */
export function previousOf(life: Lifecycle, name: string): string | null {
  const first = life.deployments[name]?.first ?? Infinity;
  const earlier = Object.entries(life.deployments).filter(
    ([other, { status, first: since }]) =>
      other !== name && status !== "rolled_back" && since !== null && since < first,
  );
  const [last] = earlier.sort(
    ([, a], [, b]) => (b.last ?? 0) - (a.last ?? 0) || (b.first ?? 0) - (a.first ?? 0),
  );
  return last?.[0] ?? null;
}

/** What a rollback most often is of: the candidate, or what serves. */
export function newest(life: Readonly<Lifecycle>): string {
  const { rollout } = life;
  return rollout?.candidate ?? Object.keys(life.weights)[0] ?? "none";
}

/** So many requests come, all answered. */
export function serve(life: Lifecycle, requests: number): void {
  if (life.mirror !== null) life.mirror.requests += requests;
  const share = life.weights[life.rollout?.candidate ?? ""] ?? 0;
  if (life.rollout !== null) life.rollout.unseen += Math.floor((requests * share) / 100);
}

/** What the worker has not looked at is gone. */
export function restartListener(life: Lifecycle): void {
  if (life.rollout !== null) life.rollout.unseen = 0;
}

/**
 * The worker looks at the rollout while its candidate answers; each step needs answers of its own. The last step, which
 * nothing bakes, ends the rollout at once.
 */
export function look(life: Lifecycle): void {
  const { rollout } = life;
  if (rollout === null) return;
  rollout.answers += rollout.unseen;
  rollout.unseen = 0;
  if (rollout.answers < SAMPLES) return;
  rollout.answers = 0;
  rollout.step += 1;
  const weight = STEPS[rollout.step] ?? 100;
  if (weight < 100) {
    route(life, { [rollout.baseline]: 100 - weight, [rollout.candidate]: weight });
  } else {
    route(life, { [rollout.candidate]: 100 });
    complete(life, rollout);
  }
}

function complete(life: Lifecycle, { candidate, baseline }: NonNullable<Lifecycle["rollout"]>): void {
  const deployment = life.deployments[candidate];
  if (deployment !== undefined) deployment.status = "active";
  drain(life, baseline);
  life.rollout = null;
}

export function wait(life: Lifecycle, hours: number): void {
  if (life.mirror !== null) life.mirror.hours += hours;
}

function drain(life: Lifecycle, name: string | null): void {
  const deployment = life.deployments[name ?? ""];
  if (deployment !== undefined) deployment.status = "draining";
}

function route(life: Lifecycle, weights: Record<string, number>): void {
  life.weights = weights;
  life.switches += 1;
  for (const name of Object.keys(weights)) {
    const deployment = life.deployments[name];
    if (deployment === undefined) continue;
    deployment.first ??= life.switches;
    deployment.last = life.switches;
  }
}
