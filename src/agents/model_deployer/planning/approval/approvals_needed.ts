import { APPROVED_MOVES, type ApprovedMove, type GatePolicy } from "../../domain/models/gate_policy.ts";
import type { DecisionContext } from "../../domain/requests.ts";

type Requester = Pick<DecisionContext, "is_known">;

/**
 * The number of approvals that the policy requires for a move of all these kinds; the largest number holds. Where it is
 * not known who asks, the policy requires more, since one of the approvers may be the requester.
 */
export function approvalsNeeded(
  policy: GatePolicy,
  requester: Requester,
  ...moves: [ApprovedMove, ...ApprovedMove[]]
): number {
  return forRequester(Math.max(...moves.map((move) => numberFor(policy, move))), policy, requester);
}

/** A move that needs no approval needs none whoever asks. */
export function forRequester(
  needed: number,
  { approvals_for_unknown }: GatePolicy,
  { is_known }: Requester,
): number {
  return needed === 0 || is_known ? needed : needed + approvals_for_unknown;
}

/** A note for the plan where the policy names the move; elsewhere its number for production applies. */
export function approvalNotes(policy: GatePolicy, ...moves: ApprovedMove[]): string[] {
  return moves.flatMap((move) => {
    const needed = policy.approvals_by_move[move];
    if (needed === undefined) return [];
    return [`Gate policy ${policy.policy_id} asks for ${needed} approvals of ${move.replaceAll("_", " ")}.`];
  });
}

/** The number of approvals that the policy requires for each move, in the order in which they are listed. */
export function approvalsByMove(policy: GatePolicy): [ApprovedMove, number][] {
  return APPROVED_MOVES.map((move) => [move, numberFor(policy, move)]);
}

function numberFor({ approvals_by_move, approvals_for_production }: GatePolicy, move: ApprovedMove): number {
  return approvals_by_move[move] ?? approvals_for_production;
}
