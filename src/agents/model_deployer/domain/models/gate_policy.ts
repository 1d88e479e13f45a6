import { z } from "zod";
import { askedJudgeSettingsSchema } from "../evidence/judgement.ts";
import { keptRowSettingsSchema } from "../evidence/kept_rows.ts";
import { enginesByStageSchema } from "../servers/engines.ts";
import { vulnerabilityPolicySchema } from "./known_vulnerabilities.ts";
import { formatSchema } from "./loading_report.ts";
import { signerSchema } from "./signers.ts";

/** Moves that wait for approvals: `immediate_deployment` gives more than half of the traffic at once. */
export const APPROVED_MOVES = [
  "promotion",
  "supersession",
  "archival",
  "immediate_deployment",
  "promote_now",
  "retry",
] as const;
export const approvedMoveSchema = z.enum(APPROVED_MOVES);
export type ApprovedMove = z.infer<typeof approvedMoveSchema>;

export const gatePolicySchema = z.strictObject({
  policy_id: z.string(),
  /** `demo` may go below 24 h, and exists only in a database that was created as a demo. */
  kind: z.enum(["standard", "demo"]),
  minimum_shadow_hours: z.number().positive(),
  minimum_shadow_requests: z.int().min(0),
  /** Fraction, 0..1. */
  maximum_shadow_error_rate: z.number().min(0).max(1),
  maximum_shadow_p99_ms: z.number().positive(),
  /** Fraction of the pairs in which shadow and production may predict otherwise; null asks for none. */
  maximum_shadow_disagreement: z.number().min(0).max(1).nullable().default(null),
  /** Days for which a shadow's evidence lets a version that left production return. */
  maximum_shadow_age_days: z.number().positive().default(30),
  /** Approvals that a move which changes production needs, where `approvals_by_move` does not name it. */
  approvals_for_production: z.int().min(0),
  /** Approvals that single moves need; `supersession` is a promotion that ends an open rollout. */
  approvals_by_move: z.partialRecord(approvedMoveSchema, z.int().min(0)).default({}),
  /** How many more a move needs whose requester is neither a principal nor the operating system's user of one. */
  approvals_for_unknown: z.int().min(0).default(1),
  /** Whether a promotion to production waits for an open rollout, or ends it. */
  during_rollout: z.enum(["refuse", "supersede"]).default("refuse"),
  /**
   * Judge settings of this experiment's rollouts, where a deployment names none; a setting that is left out has its
   * default.
   */
  judge: askedJudgeSettingsSchema.default({}),
  /** Whether a sample of requests is kept with what each side answered; null keeps none. */
  kept_rows: keptRowSettingsSchema.nullable().default(null),
  /** Formats in which models may be saved, those that run code by name; null allows each that the installation does. */
  formats: z.array(formatSchema).min(1).nullable().default(null),
  /** By whom models have to be signed; null asks for no signature. */
  signers: z.array(signerSchema).min(1).max(20).nullable().default(null),
  /** The engine on which new deployments of an endpoint are made; one that is not named has the installation's. */
  engines: enginesByStageSchema.default({}),
  /** The known vulnerabilities with which packages are refused; null refuses none. */
  vulnerabilities: vulnerabilityPolicySchema.nullable().default(null),
  reason: z.string(),
});
export type GatePolicy = z.infer<typeof gatePolicySchema>;
/** A policy to be set; a field that is left out is as in the standard policy. */
export type NewGatePolicy = Omit<z.input<typeof gatePolicySchema>, "policy_id">;

/** The policy of an experiment that sets none: the pipeline's shadow gate, and one approval. */
export const STANDARD_GATE_POLICY: GatePolicy = {
  policy_id: "standard",
  kind: "standard",
  minimum_shadow_hours: 24,
  minimum_shadow_requests: 1_000,
  maximum_shadow_error_rate: 0.01,
  maximum_shadow_p99_ms: 150,
  maximum_shadow_disagreement: null,
  maximum_shadow_age_days: 30,
  approvals_for_production: 1,
  approvals_by_move: {},
  approvals_for_unknown: 1,
  during_rollout: "refuse",
  judge: {},
  kept_rows: null,
  formats: null,
  signers: null,
  engines: {},
  vulnerabilities: null,
  reason: "The standard policy: no other was set.",
};
