import { z } from "zod";

/** Upper bounds, in milliseconds, of the bins in which answers are counted by latency. */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300, 400, 500, 600,
  800, 1000, 1200, 1500, 2000, 2500, 3000, 4000, 5000, 6000, 8000, 10_000, 12_000, 15_000,
];
/** Answers by bin: one entry for each bound, and a last one for all slower answers. */
const latencyCountsSchema = z.array(z.int().min(0)).max(LATENCY_BOUNDS_MS.length + 1);

/** Counts since the version got its first request from this endpoint; they only grow within one `epoch`. */
export const versionFiguresSchema = z.object({
  deployment_id: z.string(),
  /** Identifies a life of the counters: in another epoch they began at zero again. */
  epoch: z.string(),
  requests: z.int().min(0),
  /** Answers of status 5xx, resets and timeouts. */
  errors: z.int().min(0),
  /** Errors without an answer in time; left out by a router that does not know. */
  timeouts: z.int().min(0).optional(),
  /** Errors whose connection could not be made or broke; left out by a router that does not know. */
  resets: z.int().min(0).optional(),
  /** Answers of status 4xx; left out by a router that does not know. */
  client_errors: z.int().min(0).optional(),
  /** Requests that callers gave up before they were answered, none of `requests`; left out by a router that does not know. */
  given_up: z.int().min(0).optional(),
  /** Requests without an answer yet; left out by a router that does not know. */
  in_flight: z.int().min(0).optional(),
  p50_ms: z.number().nullable(),
  p99_ms: z.number().nullable(),
  /** Answers by `LATENCY_BOUNDS_MS`; left out by a router that does not know. */
  latency_counts: latencyCountsSchema.optional(),
});
export type VersionFigures = z.infer<typeof versionFiguresSchema>;

const count = z.int().min(0);

export const answersSchema = z.object({
  requests: count,
  errors: count,
  timeouts: count.default(0),
  resets: count.default(0),
  client_errors: count.default(0),
  latency: latencyCountsSchema.default([]),
});
/** Answers of one side in some period: their number, their failures by kind, and their latencies. */
export type Answers = z.infer<typeof answersSchema>;

/** A number of answers, and how many of them are marked, such as failures. */
export interface Tally {
  requests: number;
  errors: number;
}

export const noAnswers: Answers = {
  requests: 0,
  errors: 0,
  timeouts: 0,
  resets: 0,
  client_errors: 0,
  latency: [],
};
