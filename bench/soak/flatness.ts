import { median } from "../support/figures.ts";
import type { Reading } from "./readings.ts";

/**
 * `level`: what is held is no more in the second half than in the first. `release`: what is kept of each release, history
 * above all, is no more of a release in the second half than in the first.
 */
export interface Figure {
  name: string;
  grows: "level" | "release";
  of: (reading: Reading) => number;
  /** Differences below it are noise: of the level, or of all releases of a half. */
  slack: number;
}

export interface Verdict {
  name: string;
  grows: Figure["grows"];
  first: number;
  second: number;
  /** The most that the second half may show. */
  allowed: number;
  isFlat: boolean;
}

/** The first part is not judged: caches fill, and what is kept for ten minutes is not removed before. */
const WARM_UP = 1 / 6;
const SHARE = 0.1;
/** What shorter runs show decides nothing: most is removed only minutes after it came. */
export const DECIDING_MINUTES = 30;

export const CRITERION =
  `flat: after the first sixth, the second half's median is at most ${SHARE * 100} % and the slack above the first half's; ` +
  `of what is kept of each release, as much a release`;

export function judge(readings: readonly Reading[], figures: readonly Figure[]): Verdict[] {
  const judged = readings.slice(Math.floor(readings.length * WARM_UP));
  const middle = Math.floor(judged.length / 2);
  // The halves share the reading between them, so that growth is counted through.
  const [first, second] = [judged.slice(0, middle + 1), judged.slice(middle)];
  return figures.map((figure) => {
    const value = figure.grows === "level" ? level : perRelease;
    const slack = figure.grows === "level" ? figure.slack : figure.slack / Math.max(1, releasesOf(second));
    const [before, after] = [value(first, figure.of), value(second, figure.of)];
    const allowed = Math.max(0, before) * (1 + SHARE) + slack;
    return {
      name: figure.name,
      grows: figure.grows,
      first: before,
      second: after,
      allowed,
      isFlat: after <= allowed,
    };
  });
}

const level = (half: readonly Reading[], of: Figure["of"]): number => median(half.map(of));

function perRelease(half: readonly Reading[], of: Figure["of"]): number {
  const [first, last] = [half[0], half.at(-1)];
  if (first === undefined || last === undefined) return Number.NaN;
  return (of(last) - of(first)) / Math.max(1, releasesOf(half));
}

const releasesOf = (half: readonly Reading[]): number =>
  (half.at(-1)?.releases ?? 0) - (half[0]?.releases ?? 0);
