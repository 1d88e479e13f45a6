import { randomUUID } from "node:crypto";
import {
  type GatePolicy,
  gatePolicySchema,
  type NewGatePolicy,
  STANDARD_GATE_POLICY,
} from "../agents/model_deployer/domain/entities.ts";
import {
  defaultJudgeSettings,
  refuseJudgeSettings,
  settingsOver,
} from "../agents/model_deployer/domain/traffic/rollout_plan.ts";
import { InvalidRequestError } from "../agents/model_deployer/errors.ts";

/**
 * The policy as it is stored, with the defaults for all that it leaves out. It is checked by the schema that reads it,
 * since a policy is never edited and an unreadable one would be in force for ever.
 * @throws InvalidRequestError
 */
export function newGatePolicy(policy: NewGatePolicy): GatePolicy {
  const usual = {
    during_rollout: policy.during_rollout ?? STANDARD_GATE_POLICY.during_rollout,
    maximum_shadow_disagreement: policy.maximum_shadow_disagreement ?? null,
    maximum_shadow_age_days: policy.maximum_shadow_age_days ?? STANDARD_GATE_POLICY.maximum_shadow_age_days,
    approvals_by_move: policy.approvals_by_move ?? {},
    approvals_for_unknown: policy.approvals_for_unknown ?? STANDARD_GATE_POLICY.approvals_for_unknown,
    judge: policy.judge ?? {},
    kept_rows: policy.kept_rows ?? null,
    formats: policy.formats ?? null,
  };
  const stored: GatePolicy = { ...policy, ...usual, policy_id: `policy_${randomUUID()}` };
  const problems = problemsOf(stored);
  if (problems.length === 0) return stored;
  throw new InvalidRequestError(`The gate policy is not valid: ${problems.join("; ")}.`, {
    details: { problems },
  });
}

function contradictions({ judge }: GatePolicy): string[] {
  const refusal = refuseJudgeSettings(settingsOver(defaultJudgeSettings, judge));
  return refusal === null ? [] : [refusal.replace(/\.$/, "")];
}

const SHORTEST_SHADOW_HOURS = 24;

/** A sentence for each wrong field, with the value that was given. */
function problemsOf(policy: GatePolicy): string[] {
  const wrong = (gatePolicySchema.safeParse(policy).error?.issues ?? []).map(({ path, message }) => {
    const given = path.reduce<unknown>(
      (inner, key) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined),
      policy,
    );
    return `${path.join(".")}: ${message} (given ${String(given)})`;
  });
  const { kind, minimum_shadow_hours: hours, reason } = policy;
  const isShort = kind === "standard" && hours < SHORTEST_SHADOW_HOURS;
  return [
    ...wrong,
    ...(isShort
      ? [
          `minimum_shadow_hours: ${SHORTEST_SHADOW_HOURS} or more (given ${hours}); less in a demo installation alone, which \`model-deployer init --demo\` makes in another folder`,
        ]
      : []),
    ...contradictions(policy),
    ...(reason.trim() === "" ? ["reason: say why, for whoever reads the policy later"] : []),
  ];
}
