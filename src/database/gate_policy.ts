import { randomUUID } from "node:crypto";
import {
  type GatePolicy,
  gatePolicySchema,
  type NewGatePolicy,
  STANDARD_GATE_POLICY,
} from "../agents/model_deployer/domain/entities.ts";
import { InvalidRequestError } from "../agents/model_deployer/errors.ts";

/**
 * The policy as it is stored, with what it leaves out as usual. Whatever could not be read again would be in force for
 * ever, since a policy is never edited.
 * @throws InvalidRequestError
 */
export function newGatePolicy(policy: NewGatePolicy): GatePolicy {
  const usual = {
    during_rollout: policy.during_rollout ?? STANDARD_GATE_POLICY.during_rollout,
    maximum_shadow_disagreement: policy.maximum_shadow_disagreement ?? null,
    approvals_by_move: policy.approvals_by_move ?? {},
  };
  const stored: GatePolicy = { ...policy, ...usual, policy_id: `policy_${randomUUID()}` };
  const problems = problemsOf(stored);
  if (problems.length === 0) return stored;
  throw new InvalidRequestError(`The gate policy is not valid: ${problems.join("; ")}.`, {
    details: { problems },
  });
}

const SHORTEST_SHADOW_HOURS = 24;

/** Each with its field and the value that was given. */
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
          `minimum_shadow_hours: ${SHORTEST_SHADOW_HOURS} or more (given ${hours}); less is for a demo policy, in a database that was made for demos`,
        ]
      : []),
    ...(reason.trim() === "" ? ["reason: say why, for whoever reads the policy later"] : []),
  ];
}
