import { z } from "zod";
import { betsSchema, noBets } from "./bets.ts";

/** Measures of predictions once the truth is known; each gives a loss, the lower the better. */
export const measureSchema = z.enum(["accuracy", "brier", "log_loss", "absolute_error"]);
export type Measure = z.infer<typeof measureSchema>;

export const outcomeSettingsSchema = z.strictObject({
  /**
   * `accuracy` for classes: the share of wrong ones. `brier` and `log_loss` for scores of outcomes that are 0 or 1.
   * `absolute_error` for numbers.
   */
  measure: measureSchema,
  /**
   * Outcomes of the candidate that all traffic, and pairs that the shadow gate, requires; 0 waits for none, and those
   * that come can only fail a candidate.
   */
  minimum_outcomes: z.int().min(0).max(1_000_000),
  /**
   * A difference of mean losses below this fails nobody; of absolute errors it is a part of the baseline's mean one.
   */
  worse_by: z.number().min(0).max(1),
  /**
   * All traffic, and the shadow gate, require it excluded that the candidate's mean loss exceeds the other one by this;
   * null, or left out, requires nothing. Absolute errors have no bound.
   */
  margin: z.number().gt(0).max(10).nullable().optional(),
  /** The share of requests whose predictions are kept for their outcomes, drawn by request id. */
  sample: z.number().gt(0).max(1),
});
export type OutcomeSettings = z.infer<typeof outcomeSettingsSchema>;

/** The settings of a measure for whoever names nothing else. */
export const usualOutcomeSettings = { minimum_outcomes: 0, worse_by: 0.01, sample: 1 } as const;

const scalar = z.union([z.string().max(1000), z.number(), z.boolean()]);
/** The truth about one request: a class, 0 or 1, a number; a list for a request of several rows. */
export const outcomeSchema = z.union([scalar, z.array(scalar).min(1).max(10_000)]);
export type Outcome = z.infer<typeof outcomeSchema>;

export const toldOutcomeSchema = z.strictObject({
  /** The `x-request-id` of the answer. */
  request_id: z.string().min(1).max(200),
  outcome: outcomeSchema,
});
export type ToldOutcome = z.infer<typeof toldOutcomeSchema>;

/** The outcomes of one call by what became of them; each is counted once. */
export const recordedOutcomesSchema = z.strictObject({
  /** New, of a request whose prediction is kept. */
  recorded: z.int(),
  /** New, of a request that is not known yet: kept for 30 days, for predictions that are read later. */
  waiting: z.int(),
  /** Told before, with the same value. */
  repeated: z.int(),
  /** Told before, with another value; the first one stays. */
  contradicting: z.int(),
  /** Of a request that another endpoint than the named one has answered; not kept. */
  of_another_endpoint: z.int(),
  /** Told without an endpoint, of a request id that several endpoints have answered; not kept. */
  of_several_endpoints: z.int(),
});
export type RecordedOutcomes = z.infer<typeof recordedOutcomesSchema>;

const count = z.int().min(0);

const lossesSchema = z.object({ outcomes: count, loss: z.number().min(0) });
/** How many outcomes one side has, and the sum of its losses. */
export type Losses = z.infer<typeof lossesSchema>;

const noLosses: Losses = { outcomes: 0, loss: 0 };
const bothLosses = { candidate: lossesSchema, baseline: lossesSchema };

const waitingLossSchema = z.object({ side: z.enum(["candidate", "baseline"]), loss: z.number().min(0) });
export type WaitingLoss = z.infer<typeof waitingLossSchema>;

export const outcomeEvidenceSchema = z.object({
  ...bothLosses,
  /** Moments of the losses of both sides together, or of the differences of pairs: their number and sums. */
  pooled: z.object({ count, sum: z.number(), squares: z.number().min(0) }),
  bets: betsSchema,
  /** The losses since the evidence was at its lowest, from which the present evidence comes. */
  since: z.object({ lowest: z.number(), ...bothLosses }),
  /** Bets against "the candidate's mean loss exceeds the other one by this much". */
  excluded: betsSchema.default(noBets),
  /** Of the outcomes compared: how many are the candidate's, how many the route's shares let expect, and their variance. */
  told: z
    .object({ outcomes: count, drawn: count, expected: z.number(), variance: z.number() })
    .default({ outcomes: 0, drawn: 0, expected: 0, variance: 0 }),
  /**
   * The candidate's losses while it has all traffic: the sum by which they exceed the baseline's, in standard
   * deviations, and how often it was too high.
   */
  alone: z.object({ sum: z.number().min(0), alarms: count }).default({ sum: 0, alarms: 0 }),
  /** Losses of a block that has yet to hold enough of both sides, by the generation of the route. */
  pending: z.record(z.string(), z.array(waitingLossSchema)),
  /** Outcomes that the measure cannot compare with the prediction, such as a word with a number. */
  wrong_type: count,
  /** Outcomes of requests that only one side could have got, or that came while the weights changed. */
  without_control: count,
  /** Errors of numbers so far beyond the others that they count for a part. */
  far_out: count.default(0),
});
/** The evidence of the outcomes of one rollout, or of one shadow's pairs, so far. */
export type OutcomeEvidence = z.infer<typeof outcomeEvidenceSchema>;

export const noOutcomes: OutcomeEvidence = {
  candidate: noLosses,
  baseline: noLosses,
  pooled: { count: 0, sum: 0, squares: 0 },
  bets: noBets,
  since: { lowest: 0, candidate: noLosses, baseline: noLosses },
  excluded: noBets,
  told: { outcomes: 0, drawn: 0, expected: 0, variance: 0 },
  alone: { sum: 0, alarms: 0 },
  pending: {},
  wrong_type: 0,
  without_control: 0,
  far_out: 0,
};

/** A period in which one route was in force, by the database's clock. */
export const stretchOfRouteSchema = z.object({
  generation: z.int(),
  weights: z.record(z.string(), z.number()),
  from: z.string(),
  to: z.string(),
});
export type StretchOfRoute = z.infer<typeof stretchOfRouteSchema>;

/** One answer of a server, as far as outcomes are compared with it. */
export interface Answered {
  prediction: unknown;
  score: number | null;
  /** It answered with an error in place of a prediction. */
  has_failed: boolean;
}

export interface ComparableAnswer extends Answered {
  deployment_id: string;
  /** When its request reached the server; ISO 8601, by the server's clock. */
  answered_at: string;
  outcome: Outcome;
}

/** One request that both a shadow and production have answered. */
export interface ComparablePair {
  candidate: Answered;
  baseline: Answered;
  outcome: Outcome;
}
