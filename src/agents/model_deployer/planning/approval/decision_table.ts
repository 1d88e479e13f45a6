import { z } from "zod";
import {
  criterionSchema,
  gatePolicySchema,
  metricsSchema,
  type Metrics,
  shadowEvidenceSchema,
} from "../../domain/entities.ts";
import type { Plan } from "../../domain/plan.ts";
import type { DecisionRow } from "./decision_row.ts";
import { loadingEvidenceSchema, loadingRows } from "./loading_rows.ts";
import { signingEvidenceSchema, signingRows } from "./signing_rows.ts";
import { vulnerabilityEvidenceSchema, vulnerabilityRows } from "./vulnerability_rows.ts";
import { percent } from "../../judge/sentences.ts";
import { disagreementRate } from "../../judge/evidence/shadow_pairs.ts";

const bound = z.number().nullable().default(null);
const evidenceSchema = z.object({
  metrics: metricsSchema.optional().catch(undefined),
  success_criteria: z
    .object({
      minimum_auc: bound,
      minimum_precision_at_k: bound,
      maximum_fpr: bound,
      criteria: z.array(criterionSchema).default([]),
    })
    .optional()
    .catch(undefined),
  gate_policy: gatePolicySchema.optional().catch(undefined),
  shadow: shadowEvidenceSchema.nullish().catch(undefined),
  shadow_worse_by: z
    .object({ required: z.number(), known: z.number().nullable() })
    .nullish()
    .catch(undefined),
  feature_shift: z
    .object({
      top_features: z.array(z.string()),
      production_top_features: z.array(z.string()),
      agreement: z.number(),
    })
    .nullish()
    .catch(undefined),
  loading: loadingEvidenceSchema.optional().catch(undefined),
  signing: signingEvidenceSchema.optional().catch(undefined),
  vulnerabilities: vulnerabilityEvidenceSchema.optional().catch(undefined),
  rollout: z.unknown().optional(),
  ended_rollout: z.unknown().optional(),
});
type Evidence = z.infer<typeof evidenceSchema>;

const rolloutSchema = z.object({
  status: z.string(),
  verdict: z.object({ outcome: z.string(), reason: z.string(), e_value: z.number().nullable() }).nullable(),
});

const MOST_FEATURES = 3;

/** Four significant digits: what is beyond them decides nothing. */
const decimal = (value: number): string => String(Number(value.toPrecision(4)));

/** Truncated, so that 24 h are not shown before they are over. */
function hoursText(hours: number): string {
  if (hours >= 1) return `${Math.floor(hours * 100) / 100} h`;
  return `${Math.floor(hours * 36_000) / 10} s`;
}

interface Bound {
  text: string;
  holds: (value: number) => boolean;
}

const atLeast = (bound: number): Bound => ({ text: `≥ ${decimal(bound)}`, holds: (value) => value >= bound });
const atMost = (bound: number): Bound => ({ text: `≤ ${decimal(bound)}`, holds: (value) => value <= bound });

/** The evidence of a plan that waits for an approval, bound beside figure; empty where a plan rests on no figures. */
export function decisionTable(plan: Pick<Plan, "evidence" | "on_success">): DecisionRow[] {
  const moves = plan.on_success.filter((change) => change.change === "set_stage");
  const promoted = moves.find((move) => move.kind === "promotion");
  const replaced = moves.find((move) => move.kind === "supersession");
  const evidence = evidenceSchema.parse({ ...promoted?.evidence, ...plan.evidence });
  const metrics = evidence.metrics ?? promoted?.metrics ?? {};
  return [
    ...metricRows(metrics, replaced?.metrics ?? null, evidence.success_criteria),
    ...shadowRows(evidence),
    ...featureRows(evidence.feature_shift),
    ...loadingRows(evidence.loading, evidence.gate_policy?.formats),
    ...signingRows(evidence.signing, evidence.gate_policy?.signers),
    ...vulnerabilityRows(evidence.vulnerabilities, evidence.gate_policy?.vulnerabilities),
    ...rolloutRows("this rollout", evidence.rollout),
    ...rolloutRows("a rollout that it ends", evidence.ended_rollout),
  ];
}

function metricRows(
  metrics: Metrics,
  replaced: Metrics | null,
  criteria: Evidence["success_criteria"],
): DecisionRow[] {
  const boundOf = (name: string): Bound | null => {
    const own = criteria?.criteria.find(({ metric }) => metric === name);
    if (own !== undefined) return own.direction === "at_least" ? atLeast(own.bound) : atMost(own.bound);
    const { minimum_auc = null, minimum_precision_at_k = null, maximum_fpr = null } = criteria ?? {};
    if (/auc/.test(name) && minimum_auc !== null) return atLeast(minimum_auc);
    if (/precision_at_k/.test(name) && minimum_precision_at_k !== null)
      return atLeast(minimum_precision_at_k);
    return /fpr|false_positive_rate/.test(name) && maximum_fpr !== null ? atMost(maximum_fpr) : null;
  };
  const rows = Object.entries(metrics).map(([name, value]): DecisionRow => {
    const required = boundOf(name);
    const before = replaced?.[name];
    return {
      group: required === null ? "other metrics" : "success criteria",
      what: name.replaceAll("_", " "),
      required: required?.text ?? null,
      candidate: decimal(value),
      production: before === undefined ? null : decimal(before),
      met: required?.holds(value) ?? null,
    };
  });
  return [...rows].sort((a, b) => Number(a.group === "other metrics") - Number(b.group === "other metrics"));
}

function shadowRows({ shadow, gate_policy: limit, shadow_worse_by: bound }: Evidence): DecisionRow[] {
  if (shadow === null || shadow === undefined) return [];
  const share = shadow.requests === 0 ? 0 : shadow.errors / shadow.requests;
  const row = (what: string, candidate: string, required?: [string, boolean]): DecisionRow => ({
    group: "shadow",
    what,
    required: required?.[0] ?? null,
    candidate,
    production: null,
    met: required?.[1] ?? null,
  });
  return [
    row(
      "time in shadow",
      hoursText(shadow.hours),
      limit && [`≥ ${hoursText(limit.minimum_shadow_hours)}`, shadow.hours >= limit.minimum_shadow_hours],
    ),
    row(
      "mirrored requests",
      String(shadow.requests),
      limit && [`≥ ${limit.minimum_shadow_requests}`, shadow.requests >= limit.minimum_shadow_requests],
    ),
    row(
      "failed",
      `${shadow.errors} (${percent(share)})`,
      limit && [`≤ ${percent(limit.maximum_shadow_error_rate)}`, share <= limit.maximum_shadow_error_rate],
    ),
    row(
      "p99",
      shadow.p99_ms === null ? "not measured" : `${decimal(shadow.p99_ms)} ms`,
      limit && [
        `≤ ${decimal(limit.maximum_shadow_p99_ms)} ms`,
        shadow.p99_ms !== null && shadow.p99_ms <= limit.maximum_shadow_p99_ms,
      ],
    ),
    ...(bound === null || bound === undefined
      ? []
      : [
          row("worse than production by at most", bound.known === null ? "unknown" : percent(bound.known), [
            `≤ ${percent(bound.required)}`,
            bound.known !== null && bound.known <= bound.required,
          ]),
        ]),
    ...comparisonRows({ shadow, gate_policy: limit }, row),
  ];
}

function comparisonRows(
  { shadow, gate_policy: policy }: Pick<Evidence, "shadow" | "gate_policy">,
  row: (what: string, candidate: string, required?: [string, boolean]) => DecisionRow,
): DecisionRow[] {
  const compared = shadow?.comparison ?? null;
  if (compared === null || compared.pairs === 0) return [];
  const share = disagreementRate(compared);
  const most = policy?.maximum_shadow_disagreement ?? null;
  const difference =
    compared.scored === 0
      ? []
      : [row("score, mean difference", decimal(compared.sum_difference / compared.scored))];
  return [
    row(
      "predicts otherwise than production",
      `${compared.disagreements} of ${compared.pairs} (${percent(share)})`,
      most === null ? undefined : [`≤ ${percent(most)}`, share <= most],
    ),
    ...difference,
  ];
}

function featureRows(shift: Evidence["feature_shift"]): DecisionRow[] {
  if (shift === null || shift === undefined) return [];
  return [
    {
      group: "features",
      what: `most important, ${percent(shift.agreement)} alike`,
      required: null,
      candidate: shift.top_features.slice(0, MOST_FEATURES).join(", "),
      production: shift.production_top_features.slice(0, MOST_FEATURES).join(", "),
      met: null,
    },
  ];
}

function rolloutRows(what: string, found: unknown): DecisionRow[] {
  const rollout = rolloutSchema.safeParse(found).data;
  if (rollout === undefined) return [];
  const said = rollout.verdict;
  return [
    {
      group: "rollout",
      what,
      required: null,
      candidate: said === null ? rollout.status : `${rollout.status}; ${said.outcome}: ${said.reason}`,
      production: null,
      met: said === null || said.outcome === "inconclusive" ? null : said.outcome === "pass",
    },
  ];
}
