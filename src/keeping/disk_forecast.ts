/** How full a disk was at a moment. */
export interface SizeSample {
  at: string;
  /** Of what the deployer keeps. */
  bytes: number;
  free_bytes: number;
}

const DAY_MS = 24 * 3600 * 1000;
/** Shorter stretches tell more of one release than of how it goes on. */
const SHORTEST_MS = 3600 * 1000;

/**
 * Days until the disk is full, if what is kept grows on as it did: the slope of a least-squares line through the samples.
 * Null where too little is known, or nothing grows.
 */
export function daysLeft(samples: readonly SizeSample[], freeBytes: number): number | null {
  const points = samples.map(({ at, bytes }) => ({ x: Date.parse(at), y: bytes }));
  const first = points[0];
  const last = points.at(-1);
  if (first === undefined || last === undefined || last.x - first.x < SHORTEST_MS) return null;
  const [x, y] = [mean(points.map((one) => one.x)), mean(points.map((one) => one.y))];
  const spread = sum(points.map((one) => (one.x - x) ** 2));
  const perMs = sum(points.map((one) => (one.x - x) * (one.y - y))) / spread;
  return perMs <= 0 ? null : freeBytes / perMs / DAY_MS;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;
