import { z } from "zod";
import { versionFiguresSchema } from "../../../src/agents/model_deployer/domain/rollout.ts";
import { latencyCountsSchema, noAnswers, tallySchema } from "./figures.ts";
import { betsSchema, noBets } from "./experts.ts";
import { ERROR_EXPERTS, LATENCY_EXPERTS, QUANTILES } from "./signals.ts";
import { nothingExcluded } from "./worse_by.ts";

const answersSchema = z.strictObject({ ...tallySchema.shape, latency: latencyCountsSchema });
/** Answers of one side: how many, how many failed, and how many took how long. */
export type Answers = z.infer<typeof answersSchema>;
const bothSchema = z.strictObject({ candidate: answersSchema, baseline: answersSchema });
export type BothSides = z.infer<typeof bothSchema>;

/** Older answers weigh less in it, so it counts in fractions. */
const weightedSchema = z.strictObject({
  requests: z.number().min(0),
  errors: z.number().min(0),
  latency: z.array(z.number().min(0)),
});
/** The newest answers of one side. */
export type Weighted = z.infer<typeof weightedSchema>;

const stretchSchema = z.strictObject({ lowest: z.number(), ...bothSchema.shape });
/** The answers since a signal's evidence was at its lowest: those that the evidence there is comes from. */
export type Stretch = z.infer<typeof stretchSchema>;

/** What the judge carries from one look to the next. */
export const judgeStateSchema = z.strictObject({
  /** Answers since the rollout began. */
  ...bothSchema.shape,
  /** Answers of the candidate since the step in force began. */
  step_samples: z.int().min(0),
  /** The newest answers, the baseline's from before the rollout too. */
  recent: z.strictObject({ candidate: weightedSchema, baseline: weightedSchema }),
  /** Answers that are not compared yet; null until a look has been taken under the weights that are in force. */
  pending: bothSchema.nullable(),
  errors: betsSchema,
  latency: betsSchema,
  /** The bets against "worse by so much". */
  excluded: betsSchema,
  since: z.strictObject({ errors: stretchSchema, latency: stretchSchema }),
  /** Cumulative sums of `suspicion`. */
  suspicion: z.array(z.number().min(0)),
  /** How much worse the candidate looked when the challenge under way began, as a share; null without one. */
  challenged_for: z.number().min(0).max(1).nullable(),
  /** Looks that saw answers of the candidate, as far as they matter. */
  warm_looks: z.int().min(0),
  /** The counters as they were read at the last look. */
  last_figures: z.array(versionFiguresSchema),
});
export type JudgeState = z.infer<typeof judgeStateSchema>;

export const noneOf = (): Answers => ({ ...noAnswers, latency: [] });
export const noneOfBoth = (): BothSides => ({ candidate: noneOf(), baseline: noneOf() });
const newStretch = (): Stretch => ({ lowest: 0, ...noneOfBoth() });

/** The evidence of a comparison that has not begun. */
export function noEvidence(): Pick<JudgeState, "pending" | "errors" | "latency" | "excluded" | "since"> {
  return {
    pending: null,
    errors: noBets(1, ERROR_EXPERTS),
    latency: noBets(QUANTILES.length, LATENCY_EXPERTS),
    excluded: nothingExcluded,
    since: { errors: newStretch(), latency: newStretch() },
  };
}
