import { z } from "zod";
import { betsSchema, noBets } from "./bets.ts";
import { answersSchema, noAnswers, versionFiguresSchema } from "./figures.ts";
import { predictionEvidenceSchema, predictionSettingsSchema } from "./compared_predictions.ts";
import { outcomeEvidenceSchema, outcomeSettingsSchema } from "./late_outcomes.ts";
import { metricEvidenceSchema, metricsSettingsSchema } from "./team_metrics.ts";

const settings = {
  /**
   * Upper bound on the probability that a candidate is failed though it is no worse: by any signal, over the whole
   * rollout and its watch, at any number of looks.
   */
  alpha: z.number().gt(0).max(0.1),
  /** Answers of the candidate that each step needs before it may pass. */
  minimum_samples: z.int().min(1),
  /** A difference of error rates (a fraction) below this does not fail a candidate. */
  effect_floor: z.number().min(0).max(0.1),
  /**
   * The step to all traffic requires evidence that the candidate fails at most this share of the answers that the
   * baseline gets right; 1 requires nothing.
   */
  margin: z.number().min(0.002).max(1),
  /** Inconclusive looks at one step before `when_inconclusive` applies, though not before the step has baked. */
  maximum_inconclusive_looks: z.int().min(1),
  /** How a rollout that stays inconclusive ends; it never goes on, and too little traffic never rolls it back. */
  when_inconclusive: z.enum(["roll_back", "pause", "hold"]),
  /** The largest allowed ratio of a p50, p90 or p99 to the baseline's; null ignores latency. */
  maximum_latency_ratio: z.number().gt(1).max(100).nullable(),
  /** A difference of latency below this does not fail a candidate, whatever the ratio. */
  latency_floor_ms: z.number().min(0).max(60_000),
  /** How predictions are compared with what turned out to be true, where that is told later; null compares nothing. */
  outcomes: outcomeSettingsSchema.nullable(),
  /** How predictions of both sides are compared, from their logs; null compares nothing. */
  predictions: predictionSettingsSchema.nullable(),
  /** Metrics of the team by their names, asked of its own server of metrics. */
  metrics: metricsSettingsSchema,
};

/** Settings as a request gives them; one that is left out keeps its default. */
export const askedJudgeSettingsSchema = z.strictObject(settings).partial();
export type AskedJudgeSettings = z.infer<typeof askedJudgeSettingsSchema>;

/** Settings as a rollout stores them; those of an earlier release may have fields that are unknown now. */
export const judgeSettingsSchema = z.object({
  ...settings,
  margin: settings.margin.default(0.02),
  outcomes: settings.outcomes.default(null),
  predictions: settings.predictions.default(null),
  metrics: settings.metrics.default({}),
});
export type JudgeSettings = z.infer<typeof judgeSettingsSchema>;

const bothSidesSchema = z.object({ candidate: answersSchema, baseline: answersSchema });
export type BothSides = z.infer<typeof bothSidesSchema>;

export const noneOfBoth: BothSides = { candidate: noAnswers, baseline: noAnswers };

/** Counts in which older answers weigh less, hence fractions. */
const weightedSchema = z.object({
  requests: z.number().min(0),
  errors: z.number().min(0),
  latency: z.array(z.number().min(0)).default([]),
});
/** The newest answers of one side. */
export type Weighted = z.infer<typeof weightedSchema>;

export const noneRecent: Weighted = { requests: 0, errors: 0, latency: [] };

const latencyAloneSchema = z.object({
  passed: z.int().min(0),
  quiet_looks: z.int().min(0),
  usual: z.array(z.number().min(0)),
});
/** How slow a candidate with all traffic may be: known once a challenge has shown that it is no slower at equal load. */
export type LatencyAlone = z.infer<typeof latencyAloneSchema>;

export const unknownAlone: LatencyAlone = { passed: 0, quiet_looks: 0, usual: [] };

const latelySchema = weightedSchema.extend({ client_errors: z.number().min(0) });
/** The newest compared answers of one side, as old as those of the other side that they are kept with. */
export type Lately = z.infer<typeof latelySchema>;

export const noneLately: Lately = { ...noneRecent, client_errors: 0 };

const sinceLowestSchema = z.object({ lowest: z.number(), ...bothSidesSchema.shape });
/** The answers since a signal's evidence was at its lowest, from which the present evidence comes. */
export type SinceLowest = z.infer<typeof sinceLowestSchema>;

const noneSinceLowest: SinceLowest = { lowest: 0, ...noneOfBoth };

export const signalSchema = z.enum(["errors", "client_errors", "latency"]);
/** The comparisons that can fail a candidate. */
export type Signal = z.infer<typeof signalSchema>;

const evidenceSchema = z.object({
  bets: betsSchema,
  since: sinceLowestSchema,
  /** Answers still to come for requests from before the present weights, which no comparison may count. */
  carried: z.int().min(0),
});
export type SignalEvidence = z.infer<typeof evidenceSchema>;

const noEvidence: SignalEvidence = { bets: noBets, since: noneSinceLowest, carried: 0 };

const evidenceOfAllSchema = z.object({
  errors: evidenceSchema,
  client_errors: evidenceSchema,
  latency: evidenceSchema,
});

/** Before anything was compared. */
export const noEvidences: Record<Signal, SignalEvidence> = {
  errors: noEvidence,
  client_errors: noEvidence,
  latency: noEvidence,
};

/**
 * The judge's state from one look to the next. A state of an earlier release, with other evidence, is read as one whose
 * comparison has not begun.
 */
export const judgeStateSchema = z.object({
  /** Answers since the rollout began. */
  ...bothSidesSchema.shape,
  /** Answers of the candidate since the step in force began. */
  step_samples: z.int().min(0).default(0),
  /** The newest answers, including those of the baseline from before the rollout. */
  recent: z
    .object({ candidate: weightedSchema, baseline: weightedSchema })
    .default({ candidate: noneRecent, baseline: noneRecent }),
  /**
   * The generation under which the answers since the last look came; null before the first look, or while it changed.
   */
  generation: z.int().nullable().default(null),
  /** Looks with answers since the present weights were first seen in force. */
  looks_under_weights: z.int().min(0).default(0),
  /** Answers under these weights that are not compared yet. */
  pending: bothSidesSchema.default(noneOfBoth),
  /** Both sides' answers together in the block that was compared last under these weights; null before the first. */
  last: answersSchema.nullable().default(null),
  evidence: evidenceOfAllSchema.default(noEvidences),
  /** The newest compared answers of both sides, in which older ones weigh less, alike on both sides. */
  lately: z
    .object({ candidate: latelySchema, baseline: latelySchema })
    .default({ candidate: noneLately, baseline: noneLately }),
  /** Bets against "the candidate is worse by this share". */
  excluded: z.object({ bets: betsSchema, carried: z.int().min(0) }).default({ bets: noBets, carried: 0 }),
  /** Cumulative sums of how much worse the candidate looks than its baseline did before; empty before the first look. */
  suspicion: z.array(z.number().min(0)).default([]),
  /** How much worse the candidate looked when the challenge under way began, as a share; null without one. */
  challenged_for: z.number().min(0).max(1).nullable().default(null),
  /** Challenges passed, looks that the last one still vouches for, and the latencies of such looks; empty before any. */
  latency_alone: latencyAloneSchema.default(unknownAlone),
  /** Looks that saw answers of the candidate, counted until its warm-up is over. */
  warm_looks: z.int().min(0).default(0),
  /** When predictions of both sides were seen to hang, by the deployer's clock; null where that was never so. */
  both_hung_at: z.string().nullable().default(null),
  /** Which looks were kept, to be judged again; null before the first. */
  looks: z
    .object({ first_at: z.string(), last_at: z.string(), count: z.int().min(1) })
    .nullable()
    .default(null),
  /** How right both sides were, by the outcomes that have come; null where none are asked for. */
  outcomes: outcomeEvidenceSchema.nullable().default(null),
  /** Alarms of the candidate's losses that a challenge has answered, and the outcomes compared when it began. */
  challenged_losses: z
    .object({ answered: z.int().min(0), compared: z.int().min(0).nullable() })
    .default({ answered: 0, compared: null }),
  /** How both sides predict; null where it is not asked for. */
  predictions: predictionEvidenceSchema.nullable().default(null),
  /** The evidence of each of the team's metrics. */
  metrics: z.record(z.string(), metricEvidenceSchema).default({}),
  /** The counters as they were read at the last look. */
  last_figures: z.array(versionFiguresSchema),
});
export type JudgeState = z.infer<typeof judgeStateSchema>;

const judgedSignalSchema = z.object({
  signal: z.union([
    z.enum([
      "errors",
      "client_errors",
      "latency_p50",
      "latency_p90",
      "latency_p99",
      "outcomes",
      "predictions",
    ]),
    /** One of the team's metrics, by its name. */
    z.templateLiteral(["metric:", z.string()]),
  ]),
  /** `loss` is a mean in the unit of the measure that outcomes are compared by, `value` what a metric's query gives. */
  unit: z.enum(["share", "ms", "loss", "value"]),
  /** Since the rollout began; null where nothing was answered. */
  candidate: z.number().nullable(),
  baseline: z.number().nullable(),
  /** Evidence against "the candidate is no worse by it". */
  e_value: z.number(),
});
export type JudgedSignal = z.infer<typeof judgedSignalSchema>;

/** How many answers, and how many failed and how. */
export const countsSchema = answersSchema.omit({ latency: true });
export type Counts = z.infer<typeof countsSchema>;

export const verdictSchema = z.object({
  outcome: z.enum(["pass", "fail", "inconclusive"]),
  /** One sentence with the numbers that decided. */
  reason: z.string(),
  /** Why a verdict is inconclusive: too few answers or outcomes, a metric that is not known, no difference yet, no bound on being worse, or no server. */
  lacks: z.enum(["samples", "outcomes", "metrics", "evidence", "bound", "server"]).nullable().default(null),
  candidate: countsSchema,
  baseline: countsSchema,
  /** Evidence of all signals together against "the candidate is no worse". */
  e_value: z.number().nullable(),
  /**
   * Upper bound on the share of the answers that the baseline gets right and the candidate fails; null while none is
   * known.
   */
  worse_by_at_most: z.number().nullable().default(null),
  /** Each signal by itself. */
  signals: z.array(judgedSignalSchema).default([]),
});
export type Verdict = z.infer<typeof verdictSchema>;
