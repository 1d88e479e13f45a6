/** A model of the product: which requests are allowed, which refused, and which version serves afterwards. */
import {
  drain,
  type Lifecycle,
  NEXT,
  openRollout,
  type Outcome,
  route,
  type Stage,
  takeBack,
  type Target,
} from "./life.ts";
import { begin, isHeldUp } from "./rollout_model.ts";

const SHADOW_HOURS = 24;
const SHADOW_REQUESTS = 1_000;
const SHADOW_ERROR_RATE = 0.01;

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
  if (openRollout(life) !== null) return "conflict";
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
  const isRight = mirror.errors <= SHADOW_ERROR_RATE * mirror.requests;
  return isOwn && mirror.hours >= SHADOW_HOURS && mirror.requests >= SHADOW_REQUESTS && isRight;
}

/**
 * The serving deployment ends; where it was promoted and never deployed, the version that serves is at production
 * again.
 */
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
  if (target === "production") return deployToProduction(life, run, how);
  const name = addDeployment(life, run, target);
  if (target === "staging") {
    drain(life, life.staging);
    life.staging = name;
  } else {
    drain(life, life.mirror?.name ?? null);
    life.mirror = { name, hours: 0, requests: 0, errors: 0 };
    route(life, life.weights);
  }
  return "done";
}

function addDeployment(life: Lifecycle, run: string, target: Target): string {
  const name = `d${Object.keys(life.deployments).length + 1}`;
  life.deployments[name] = { run, target, status: "active", first: null, last: null, isWarm: true };
  return name;
}

function deployToProduction(
  life: Lifecycle,
  run: string,
  { atOnce, approved }: { atOnce: boolean; approved: boolean },
): Outcome {
  if (openRollout(life) !== null) return "conflict";
  if (!atOnce && isHeldUp(life)) return "conflict";
  const isReplacing = Object.keys(life.weights).length > 0;
  if (isReplacing && atOnce && !approved) return "approval_required";
  serveAtProduction(life, run, atOnce);
  return "done";
}

/** Its own shadow ends; what serves is replaced at once or in steps. */
function serveAtProduction(life: Lifecycle, run: string, atOnce: boolean): void {
  const [baseline] = Object.keys(life.weights);
  if (life.mirror !== null && life.deployments[life.mirror.name]?.run === run) {
    drain(life, life.mirror.name);
    life.mirror = null;
  }
  const name = addDeployment(life, run, "production");
  if (baseline === undefined) {
    route(life, { [name]: 100 });
    return;
  }
  begin(life, name, baseline, atOnce);
  const deployment = life.deployments[name];
  if (deployment !== undefined && !atOnce) deployment.status = "deploying";
}

export function rollBack(life: Lifecycle, name: string): Outcome {
  const current = life.deployments[name];
  if (current === undefined) return "not_found";
  const open = openRollout(life);
  const isCandidate = open?.candidate === name;
  const isServing = current.target === "production" && (current.status === "active" || isCandidate);
  if (!isServing || open?.baseline === name) return "rollback_failed";
  if (!takeBack(life, name, "rolled_back")) return "rollback_failed";
  if (life.rollout?.candidate === name) life.rollout.status = "rolled_back";
  return "done";
}

/**
 * Begins a rollout that was stopped again, with a new deployment: as long as it was the last one, and nothing else has
 * gone to production since.
 */
export function retry(life: Lifecycle, approved: boolean): Outcome {
  const { rollout } = life;
  if (rollout === null) return "not_found";
  if (rollout.status !== "rolled_back" && rollout.status !== "aborted") return "conflict";
  const run = life.deployments[rollout.candidate]?.run ?? "";
  const before = life.deployments[rollout.baseline]?.run ?? "";
  const production = Object.keys(life.stages).find((one) => life.stages[one] === "production");
  const stage = life.stages[run];
  if (production !== run && production !== before) return "conflict";
  if (stage !== "archived" && stage !== "production") return "conflict";
  if (!rollout.isAtOnce && isHeldUp(life)) return "conflict";
  if (!approved) return "approval_required";
  if (production !== run) {
    life.stages[production] = "archived";
    life.stages[run] = "production";
  }
  serveAtProduction(life, run, rollout.isAtOnce);
  return "done";
}
