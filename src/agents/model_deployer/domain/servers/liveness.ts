import { z } from "zod";
import type { ServedStage } from "../entities.ts";

/** A server of a stage counts as dead after so many misses in a row, no two of them within one interval. */
export const livenessPolicySchema = z.strictObject({
  interval_seconds: z.number().min(1).max(3600),
  misses: z.int().min(2).max(100),
});
export type LivenessPolicy = z.infer<typeof livenessPolicySchema>;

export const livenessSchema = z.strictObject({
  production: livenessPolicySchema,
  staging: livenessPolicySchema,
  shadow: livenessPolicySchema,
});

/** The pipeline's own intervals. */
export const STANDARD_LIVENESS: Readonly<Record<ServedStage, LivenessPolicy>> = {
  production: { interval_seconds: 15, misses: 2 },
  staging: { interval_seconds: 60, misses: 5 },
  shadow: { interval_seconds: 30, misses: 3 },
};

/** Misses in a row of one server. */
export interface Misses {
  count: number;
  since: string;
  /** When the last miss was counted; the next counts an interval later. */
  counted_at: string;
}

/**
 * `gone` is certain: the process has ended, and starting it again loses nothing. With `missed` and `silent` the process
 * runs and does not answer, with `silent` for as many probes as the stage's policy requires.
 */
export type Life =
  { life: "alive" } | { life: "gone"; why: string } | { life: "missed" | "silent"; why: string };

/** Pure. Two misses within one interval are one. */
export function afterMiss(before: Misses | null, now: string, { interval_seconds }: LivenessPolicy): Misses {
  if (before === null) return { count: 1, since: now, counted_at: now };
  const seconds = (Date.parse(now) - Date.parse(before.counted_at)) / 1000;
  return seconds < interval_seconds ? before : { ...before, count: before.count + 1, counted_at: now };
}

export function lifeAfter({ count, since }: Misses, { misses }: LivenessPolicy, reason: string): Life {
  const why = `${reason}; it missed ${count} of ${misses} probes in a row, since ${since}`;
  return { life: count >= misses ? "silent" : "missed", why };
}
