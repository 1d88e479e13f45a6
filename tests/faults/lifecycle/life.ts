/**
 * The state in the words of the specification, without a line of the product. Deployments are `d1`, `d2`, and so on.
 */

export type Stage = "development" | "staging" | "shadow" | "production" | "archived";
export type Target = "staging" | "shadow" | "production";
/** `done`, or the code of the error. */
export type Outcome = string;

interface Deployment {
  /** Its version's name. */
  version: string;
  target: Target;
  status: "deploying" | "active" | "draining" | "rolled_back";
  /** Counts of the endpoint's switches: when it first and last had weight. */
  first: number | null;
  last: number | null;
  /** Whether its server is known to be up. */
  isWarm: boolean;
}

export interface Rollout {
  candidate: string;
  baseline: string;
  status: "running" | "paused" | "completed" | "rolled_back" | "aborted";
  /** It has the one step of a deployment that goes out at once. */
  isAtOnce: boolean;
  step: number;
  answers: number;
  /** Answers that came since the worker looked. */
  unseen: number;
  /** Degrees of it that the plan was made with. */
  caution: number;
  /** Since its step began, without the time that it was paused for. */
  hours: number;
}

export interface Lifecycle {
  /** By the versions' names: a run's first has its name, each further one a number behind it, as in `run1.2`. */
  stages: Record<string, Stage>;
  deployments: Record<string, Deployment>;
  /** Of the endpoint that callers use. */
  weights: Record<string, number>;
  mirror: { name: string; hours: number; requests: number; errors: number } | null;
  staging: string | null;
  /** The last one. */
  rollout: Rollout | null;
  /** How many hours ago each rollback was; what was aborted is none. */
  rollbacks: number[];
  /** Rollouts that the worker brought to their end. */
  completions: number;
  switches: number;
}

/** Of the runs the last one misses the criteria. */
export const RUNS = ["run1", "run2", "run3", "run4", "poor"] as const;
export const NEXT: Readonly<Record<Stage, Stage | null>> = {
  development: "staging",
  staging: "shadow",
  shadow: "production",
  production: "archived",
  archived: null,
};

export function newLifecycle(): Lifecycle {
  return {
    stages: {},
    deployments: {},
    weights: {},
    mirror: null,
    staging: null,
    rollout: null,
    rollbacks: [],
    completions: 0,
    switches: 0,
  };
}

export const runOf = (version: string): string => version.split(".")[0] ?? version;

export const versionName = (run: string, number: number): string => (number === 1 ? run : `${run}.${number}`);

/** The run's last version, or the name that its first one would have. */
export function newestVersion({ stages }: Readonly<Lifecycle>, run: string): string {
  const count = Object.keys(stages).filter((version) => runOf(version) === run).length;
  return versionName(run, Math.max(1, count));
}

export function openRollout({ rollout }: Readonly<Lifecycle>): Rollout | null {
  return rollout?.status === "running" || rollout?.status === "paused" ? rollout : null;
}

/**
 * Of those that had weight before it first had any, and have not failed since: the one that had it last; without any, of
 * those that were replaced since.
 */
export function previousOf(life: Readonly<Lifecycle>, name: string): string | null {
  const first = life.deployments[name]?.first ?? Infinity;
  const isEarlier = ({ first: since }: { first: number | null }) => since !== null && since < first;
  const others = Object.entries(life.deployments).filter(
    ([other, { status, first: since }]) => other !== name && status !== "rolled_back" && since !== null,
  );
  const able = others.filter(([, one]) => isEarlier(one) || one.status === "draining");
  const [last] = able.sort(
    ([, a], [, b]) =>
      Number(isEarlier(b)) - Number(isEarlier(a)) ||
      (b.last ?? 0) - (a.last ?? 0) ||
      (b.first ?? 0) - (a.first ?? 0),
  );
  return last?.[0] ?? null;
}

/** The usual target of a rollback: the candidate, or the serving deployment. */
export function newest(life: Readonly<Lifecycle>): string {
  return openRollout(life)?.candidate ?? Object.keys(life.weights)[0] ?? "none";
}

export function drain(life: Lifecycle, name: string | null): void {
  const deployment = life.deployments[name ?? ""];
  if (deployment !== undefined) deployment.status = "draining";
}

export function route(life: Lifecycle, weights: Record<string, number>): void {
  life.weights = weights;
  life.switches += 1;
  for (const name of Object.keys(weights)) {
    const deployment = life.deployments[name];
    if (deployment === undefined) continue;
    deployment.first ??= life.switches;
    deployment.last = life.switches;
    deployment.isWarm = true;
  }
}

/** Brings back what served before: what a rollback does, by whomever. */
export function takeBack(life: Lifecycle, name: string, ending: "rolled_back" | "aborted"): boolean {
  const current = life.deployments[name];
  const previousName = previousOf(life, name);
  const previous = life.deployments[previousName ?? ""];
  if (current === undefined || previousName === null || previous === undefined) return false;
  current.status = "rolled_back";
  previous.status = "active";
  if (ending === "rolled_back") life.rollbacks.push(0);
  route(life, { [previousName]: 100 });
  if (current.version !== previous.version && life.stages[current.version] === "production") {
    life.stages[current.version] = "archived";
    if (life.stages[previous.version] === "archived") life.stages[previous.version] = "production";
  }
  return true;
}

/** So many requests come, which all but the shadow answer. */
export function serve(life: Lifecycle, requests: number, shadowErrors = 0): void {
  if (life.mirror !== null) {
    life.mirror.requests += requests;
    life.mirror.errors += shadowErrors;
  }
  const rollout = openRollout(life);
  const share = life.weights[rollout?.candidate ?? ""] ?? 0;
  if (rollout !== null) rollout.unseen += Math.floor((requests * share) / 100);
}

/** Counts that the worker has not read are lost. */
export function restartListener(life: Lifecycle): void {
  if (life.rollout !== null) life.rollout.unseen = 0;
}

/** Of what has been replaced nobody knows any more whether it is warm. */
export function wait(life: Lifecycle, hours: number): void {
  if (life.mirror !== null) life.mirror.hours += hours;
  life.rollbacks = life.rollbacks.map((ago) => ago + hours);
  if (life.rollout?.status === "running") life.rollout.hours += hours;
  for (const deployment of Object.values(life.deployments)) {
    if (deployment.status === "draining" || deployment.status === "rolled_back") deployment.isWarm = false;
  }
}
