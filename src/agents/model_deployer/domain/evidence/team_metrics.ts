import { z } from "zod";
import { betsSchema, noBets } from "./bets.ts";

/** Names that a query may have in double braces: of the side that is asked for, and the seconds to look back. */
export const QUERY_NAMES = ["deployment", "endpoint", "version", "since"] as const;
const NAMED = /\{\{\s*([^{}]*?)\s*\}\}/g;
const OF_ONE_SIDE = /\{\{\s*(deployment|version)\s*\}\}/;

const querySchema = z
  .string()
  .min(1)
  .max(4000)
  .superRefine((query, context) => {
    for (const [, name = ""] of query.matchAll(NAMED)) {
      if (QUERY_NAMES.some((known) => known === name)) continue;
      const known = QUERY_NAMES.map((one) => `{{${one}}}`).join(", ");
      context.addIssue({ code: "custom", message: `{{${name}}} is not known; a query may name ${known}` });
    }
  });

export const metricSettingsSchema = z
  .strictObject({
    /** In the language of the metrics' server, such as PromQL; it gives one number. */
    query: querySchema,
    /** Gives the number that `query` counts a part of; both sides are then compared as shares. Null: as values. */
    of: querySchema.nullable(),
    /** Which direction is worse. */
    worse: z.enum(["higher", "lower"]),
    /** The value that a side may reach; null compares with the baseline. */
    bound: z.number().nullable(),
    /** By which part of the baseline's value the candidate may be worse. */
    worse_by: z.number().min(0).max(100),
    /** Seconds of one comparison, between two of which nothing overlaps. */
    every_seconds: z.int().min(5).max(3600),
    /** Comparisons that all traffic requires. */
    minimum_windows: z.int().min(0).max(1000),
  })
  .superRefine(({ query, of, bound }, context) => {
    const isOfOneSide = OF_ONE_SIDE.test(query) && (of === null || OF_ONE_SIDE.test(of));
    if (bound === null && !isOfOneSide) {
      const message =
        "a query that is compared with the baseline names {{deployment}} or {{version}}, or both sides would be the same";
      context.addIssue({ code: "custom", path: ["query"], message });
    }
    if (bound !== null && of !== null) {
      const message = "a bound is of a value: divide in the query, or leave the bound out";
      context.addIssue({ code: "custom", path: ["of"], message });
    }
  });
export type MetricSettings = z.infer<typeof metricSettingsSchema>;

/** The settings of a metric for whoever names its query and its worse direction alone. */
export const usualMetricSettings = {
  of: null,
  bound: null,
  worse_by: 0.1,
  every_seconds: 60,
  minimum_windows: 3,
} as const;

/** Names as `false_positives`. */
export const metricsSettingsSchema = z
  .record(z.string().regex(/^[a-z][a-z0-9_]{0,39}$/), metricSettingsSchema, {
    error: ({ code }) =>
      code === "invalid_key"
        ? "A metric takes a name as in false_positives, of 40 characters at most"
        : undefined,
  })
  .refine((metrics) => Object.keys(metrics).length <= 20, "at most 20 metrics");

const readingSchema = z.union([z.object({ value: z.number() }), z.object({ problem: z.string() })]);
/** The reading of a query for one side: one number, or why there is none. */
export type MetricReading = z.infer<typeof readingSchema>;

const sideSchema = z.object({ reading: readingSchema, of: readingSchema.nullable() });
export type SideReading = z.infer<typeof sideSchema>;

const tallySchema = z.object({ marked: z.number(), all: z.number() });

const differencesSchema = z.object({
  count: z.int().min(0),
  sum: z.number(),
  squares: z.number(),
  bets: betsSchema,
});
/** By how much the candidate's values were worse, window by window, and the bets on their mean. */
export type Differences = z.infer<typeof differencesSchema>;
export const noDifferences: Differences = { count: 0, sum: 0, squares: 0, bets: noBets };

export const metricEvidenceSchema = z.object({
  /** The route under which the window runs that is under way, and its beginning in ms. */
  generation: z.int().nullable(),
  since: z.number(),
  bets: betsSchema,
  /** In how many windows which side was worse by more than is allowed; in `alike` neither was. */
  windows: z.object({ worse: z.int(), better: z.int(), alike: z.int() }),
  /** Of values that are compared with the baseline's; null of others, and before the first window. */
  differences: differencesSchema.nullable().default(null),
  /** Of shares: the counts of both sides together. */
  counts: z.object({ candidate: tallySchema, baseline: tallySchema }),
  /** The last reading; null before. */
  last: z.object({ candidate: sideSchema, baseline: sideSchema }).nullable(),
});
/** The evidence of one metric so far. */
export type MetricEvidence = z.infer<typeof metricEvidenceSchema>;

const nothingCounted = { marked: 0, all: 0 };
export const noMetric: MetricEvidence = {
  generation: null,
  since: 0,
  bets: noBets,
  windows: { worse: 0, better: 0, alike: 0 },
  differences: null,
  counts: { candidate: nothingCounted, baseline: nothingCounted },
  last: null,
};

/** Both sides' readings, by the metric's name. */
export type MetricReadings = Readonly<Record<string, { candidate: SideReading; baseline: SideReading }>>;

export interface QueriedSide {
  deployment: string;
  endpoint: string;
  version: string;
}

/** @param since in seconds; a query names it as a duration, as in `rate(requests_total[{{since}}])` */
export function filledQuery(query: string, side: QueriedSide, since: number): string {
  const values: Record<string, string> = { ...side, since: `${Math.max(1, Math.floor(since))}s` };
  return query.replace(NAMED, (_, name: string) =>
    (values[name] ?? "").replaceAll("\\", "\\\\").replaceAll('"', '\\"'),
  );
}
