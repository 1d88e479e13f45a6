import { z } from "zod";
import { LATENCY_BOUNDS_MS } from "../../../src/agents/model_deployer/domain/rollout.ts";

/** Answers by bin: one entry for each bound, and the last for what took longer than all of them. */
export const latencyCountsSchema = z.array(z.int().min(0)).max(LATENCY_BOUNDS_MS.length + 1);

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
