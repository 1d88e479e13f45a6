import { z } from "zod";

/** Upper bounds, in milliseconds, of the bins that answers are counted in by how long they took. */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300, 400, 500, 600,
  800, 1000, 1200, 1500, 2000, 2500, 3000, 4000, 5000, 6000, 8000, 10_000, 12_000, 15_000,
];
/** Answers by bin: one entry for each bound, and the last for what took longer than all of them. */
export const latencyCountsSchema = z.array(z.int().min(0)).max(LATENCY_BOUNDS_MS.length + 1);

/** Counts since the version got its first request from this endpoint; they only grow within one `epoch`. */
export const versionFiguresSchema = z.strictObject({
  deployment_id: z.string(),
  /** Names the life of the counters: another epoch means that they began at zero again. */
  epoch: z.string(),
  requests: z.int().min(0),
  /** Answers of status 5xx, resets and timeouts. */
  errors: z.int().min(0),
  p50_ms: z.number().nullable(),
  p99_ms: z.number().nullable(),
  /** Answers by `LATENCY_BOUNDS_MS`; left out by a router that can't tell. */
  latency_counts: latencyCountsSchema.optional(),
});
export type VersionFigures = z.infer<typeof versionFiguresSchema>;

export const tallySchema = z.strictObject({ requests: z.int().min(0), errors: z.int().min(0) });
/** Answers, and failures among them, of one side in some stretch. */
export type Tally = z.infer<typeof tallySchema>;

export const noAnswers: Tally = { requests: 0, errors: 0 };

export const errorRate = ({ requests, errors }: Tally): number => (requests === 0 ? 0 : errors / requests);

export const plus = (a: Tally, b: Tally): Tally => ({
  requests: a.requests + b.requests,
  errors: a.errors + b.errors,
});

export function plusEach(a: readonly number[], b: readonly number[]): number[] {
  const [longer, shorter] = a.length >= b.length ? [a, b] : [b, a];
  return longer.map((count, bin) => count + (shorter[bin] ?? 0));
}
