/**
 * The rule of Kubernetes' HorizontalPodAutoscaler for one metric, the CPU in percent of its limit, with that
 * controller's defaults: "Horizontal Pod Autoscaling" in Kubernetes' documentation, "Algorithm details" and "Scaling
 * policies". All pure.
 */

/** A ratio this near to 1 changes nothing. */
const TOLERANCE = 0.1;
/** Fewer servers only when nothing more was recommended for as long. */
export const DOWN_WINDOW_SECONDS = 300;
/** One step goes up to at most twice as many servers, or by `UP_STEP` more. */
const UP_FACTOR = 2;
const UP_STEP = 4;

export interface Recommendation {
  /** Seconds of any clock that only goes forward. */
  at: number;
  replicas: number;
}

export interface Bounds {
  min: number;
  max: number;
}

/** `ceil(current * usage / target)`, both in percent of the CPU limit. */
export function recommendedReplicas(current: number, usagePercent: number, targetPercent: number): number {
  const ratio = usagePercent / targetPercent;
  return Math.abs(ratio - 1) <= TOLERANCE ? current : Math.ceil(current * ratio);
}

/**
 * The number to go to now: the highest that was recommended within the window where it is fewer, and no more than the
 * policy allows at once where it is more; within the bounds.
 *
 * @param past earlier recommendations and the present one
 */
export function scaledReplicas(
  current: number,
  past: readonly Recommendation[],
  now: number,
  { min, max }: Bounds,
): number {
  const recent = past.filter(({ at }) => now - at <= DOWN_WINDOW_SECONDS);
  const present = recent.at(-1)?.replicas ?? current;
  const highest = Math.max(present, ...recent.map(({ replicas }) => replicas));
  const steadied = present >= current ? present : Math.min(current, highest);
  const atOnce = Math.min(steadied, Math.max(current * UP_FACTOR, current + UP_STEP));
  return Math.min(max, Math.max(min, atOnce));
}

/** The bounds on a machine: more servers than its cores can give their limit to are of no use. */
export function boundsOn(cores: number, coresEach: number, { min, max }: Bounds): Bounds {
  return { min, max: Math.max(min, Math.min(max, Math.floor(cores / coresEach))) };
}
