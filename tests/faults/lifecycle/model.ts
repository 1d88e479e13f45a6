/** A model of the product: which requests are allowed, which refused, and which version serves afterwards. */
import {
  drain,
  type Lifecycle,
  newestVersion,
  NEXT,
  openRollout,
  type Outcome,
  route,
  runOf,
  type Stage,
  takeBack,
  type Target,
  versionName,
} from "./life.ts";
import { begin, isHeldUp } from "./rollout_model.ts";

const SHADOW_HOURS = 24;
const SHADOW_REQUESTS = 1_000;
const SHADOW_ERROR_RATE = 0.01;

/** Of a run whose version is at its end there is another version of the same files afterwards. */
export function register(life: Lifecycle, run: string): Outcome {
  const last = newestVersion(life, run);
  const count = Object.keys(life.stages).filter((version) => runOf(version) === run).length;
  if (count === 0 || life.stages[last] === "archived") {
    life.stages[versionName(run, count + 1)] = "development";
  }
  return "done";
}

export function promote(life: Lifecycle, version: string, to: Stage, approved: boolean): Outcome {
  const from = life.stages[version];
  if (from === undefined) return "not_found";
  if (NEXT[from] !== to) return "invalid_promotion_path";
  if (to !== "production" && to !== "archived") {
    life.stages[version] = to;
    return "done";
  }
  if (openRollout(life) !== null) return "conflict";
  if (to === "production" && !mayGoToProduction(life, version)) return "production_criteria_not_met";
  if (!approved) return "approval_required";
  if (to === "archived") archive(life, version);
  for (const [other, stage] of Object.entries(life.stages)) {
    if (to === "production" && stage === "production") life.stages[other] = "archived";
  }
  life.stages[version] = to;
  return "done";
}

function mayGoToProduction(life: Lifecycle, version: string): boolean {
  const { mirror } = life;
  if (runOf(version) === "poor" || mirror === null) return false;
  const isOwn = life.deployments[mirror.name]?.version === version;
  const isRight = mirror.errors <= SHADOW_ERROR_RATE * mirror.requests;
  return isOwn && mirror.hours >= SHADOW_HOURS && mirror.requests >= SHADOW_REQUESTS && isRight;
}

/**
 * The serving deployment ends; where it was promoted and never deployed, the version that serves is at production
 * again.
 */
function archive(life: Lifecycle, version: string): void {
  const [serving] = Object.keys(life.weights);
  const deployment = serving === undefined ? undefined : life.deployments[serving];
  if (deployment === undefined) return;
  if (deployment.version === version) {
    deployment.status = "draining";
    route(life, {});
  } else if (life.stages[deployment.version] === "archived") {
    life.stages[deployment.version] = "production";
  }
}

export function deploy(
  life: Lifecycle,
  version: string,
  target: Target,
  how: { atOnce: boolean; approved: boolean },
): Outcome {
  const stage = life.stages[version];
  if (stage === undefined) return "not_found";
  if (stage !== target) return "stage_mismatch";
  if (target === "production") return deployToProduction(life, version, how);
  const name = addDeployment(life, version, target);
  if (target === "staging") {
    drain(life, life.staging);
    life.staging = name;
  } else {
    drain(life, life.mirror?.name ?? null);
    life.mirror = { name, hours: 0, requests: 0, errors: 0 };
    route(life, life.weights);
    leaveStaging(life, version);
  }
  return "done";
}

/** A shadow gets its version's server at staging, which nobody asks here. */
function leaveStaging(life: Lifecycle, version: string): void {
  if (life.staging === null || life.deployments[life.staging]?.version !== version) return;
  drain(life, life.staging);
  life.staging = null;
}

function addDeployment(life: Lifecycle, version: string, target: Target): string {
  const name = `d${Object.keys(life.deployments).length + 1}`;
  life.deployments[name] = { version, target, status: "active", first: null, last: null, isWarm: true };
  return name;
}

function deployToProduction(
  life: Lifecycle,
  version: string,
  { atOnce, approved }: { atOnce: boolean; approved: boolean },
): Outcome {
  if (openRollout(life) !== null) return "conflict";
  if (!atOnce && isHeldUp(life)) return "conflict";
  const isReplacing = Object.keys(life.weights).length > 0;
  if (isReplacing && atOnce && !approved) return "approval_required";
  serveAtProduction(life, version, atOnce);
  return "done";
}

/** Its own shadow ends; what serves is replaced at once or in steps. */
function serveAtProduction(life: Lifecycle, version: string, atOnce: boolean): void {
  const [baseline] = Object.keys(life.weights);
  if (life.mirror !== null && life.deployments[life.mirror.name]?.version === version) {
    drain(life, life.mirror.name);
    life.mirror = null;
  }
  const name = addDeployment(life, version, "production");
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
 * gone to production since. One of a version that serves by another deployment is deployed again instead.
 */
export function retry(life: Lifecycle, approved: boolean): Outcome {
  const { rollout } = life;
  if (rollout === null) return "not_found";
  if (rollout.status !== "rolled_back" && rollout.status !== "aborted") return "conflict";
  const version = life.deployments[rollout.candidate]?.version ?? "";
  const before = life.deployments[rollout.baseline]?.version ?? "";
  if (Object.keys(life.weights).some((name) => life.deployments[name]?.version === version))
    return "conflict";
  const production = Object.keys(life.stages).find((one) => life.stages[one] === "production");
  const stage = life.stages[version];
  if (production !== version && production !== before) return "conflict";
  if (stage !== "archived" && stage !== "production") return "conflict";
  if (!rollout.isAtOnce && isHeldUp(life)) return "conflict";
  if (!approved) return "approval_required";
  if (production !== version) {
    life.stages[production] = "archived";
    life.stages[version] = "production";
  }
  serveAtProduction(life, version, rollout.isAtOnce);
  return "done";
}
