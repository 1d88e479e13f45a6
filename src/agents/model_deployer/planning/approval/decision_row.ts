import { z } from "zod";

export const decisionRowSchema = z.strictObject({
  group: z.enum([
    "success criteria",
    "shadow",
    "other metrics",
    "features",
    "rollout",
    "loading",
    "signatures",
    "vulnerabilities",
  ]),
  /** The compared figure, in words. */
  what: z.string(),
  /** The bound that the policy or the experiment sets; null where none is set. */
  required: z.string().nullable(),
  /** The version that the approval is for. */
  candidate: z.string(),
  /** The version in production that it would replace; null without one, or where nothing is known of it. */
  production: z.string().nullable(),
  /** Null where there is no bound. */
  met: z.boolean().nullable(),
});
/** One line of what an approver decides by. */
export type DecisionRow = z.infer<typeof decisionRowSchema>;

/** Four significant digits: what is beyond them decides nothing. */
export const decimal = (value: number): string => String(Number(value.toPrecision(4)));
