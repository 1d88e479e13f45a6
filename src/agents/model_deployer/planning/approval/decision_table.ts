import { z } from "zod";
import { criterionSchema, metricsSchema, type Metrics, shadowEvidenceSchema } from "../../domain/entities.ts";
import { gatePolicySchema } from "../../domain/models/gate_policy.ts";
import type { Plan } from "../../domain/plan.ts";
import { decimal, type DecisionRow } from "./decision_row.ts";
import { loadingEvidenceSchema, loadingRows } from "./loading_rows.ts";
import { signingEvidenceSchema, signingRows } from "./signing_rows.ts";
import { shadowRows } from "./shadow_rows.ts";
import { vulnerabilityEvidenceSchema, vulnerabilityRows } from "./vulnerability_rows.ts";
import { percent } from "../../judge/sentences.ts";

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
    ...shadowRows(evidence.shadow ?? null, evidence.gate_policy, evidence.shadow_worse_by ?? null),
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
