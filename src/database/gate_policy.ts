import { randomUUID } from "node:crypto";
import { z } from "zod";
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
  const { error } = gatePolicySchema.safeParse(stored);
  if (error !== undefined) throw new InvalidRequestError(`No gate policy: ${z.prettifyError(error)}`);
  return stored;
}
