import { z } from "zod";

const stepExpectationSchema = z.strictObject({
  /** The candidate's share, whole percents. */
  weight: z.int(),
  /** At least: for its bake time, and for the answers that it needs at the pace so far. */
  seconds: z.number(),
  /** Answers of the candidate without which the step is not left. */
  answers_needed: z.int(),
  /** Failing this share more of the answers is likely to be found within the step; null where none is. */
  finds_worse_by: z.number().nullable(),
  /** From when on being worse by the margin can be excluded; null at steps that do not ask for it. */
  excludes_margin_after_seconds: z.number().nullable(),
});
export type StepExpectation = z.infer<typeof stepExpectationSchema>;

export const rolloutExpectationSchema = z.strictObject({
  /** As the version that serves has answered so far. */
  requests_per_second: z.number(),
  failure_rate: z.number(),
  margin: z.number(),
  /** Those on the way to all traffic. */
  steps: z.array(stepExpectationSchema),
});
/** How long a rollout's steps are likely to last, and what can be shown by then, if callers ask as they did so far. */
export type RolloutExpectation = z.infer<typeof rolloutExpectationSchema>;
