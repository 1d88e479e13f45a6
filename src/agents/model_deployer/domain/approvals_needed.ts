import { APPROVED_MOVES, type ApprovedMove, type GatePolicy } from "./entities.ts";

/** How many approvals by others the policy asks for a move that is all of these; the largest number holds. */
export function approvalsNeeded(policy: GatePolicy, ...moves: [ApprovedMove, ...ApprovedMove[]]): number {
  return Math.max(...moves.map((move) => numberFor(policy, move)));
}

/** A note for the plan where the policy names the move; where it does not, the number for production says it all. */
export function approvalNotes(policy: GatePolicy, ...moves: ApprovedMove[]): string[] {
  return moves.flatMap((move) => {
    const needed = policy.approvals_by_move[move];
    if (needed === undefined) return [];
    return [`Gate policy ${policy.policy_id} asks for ${needed} approvals of ${move.replaceAll("_", " ")}.`];
  });
}

/** What the policy asks for each move, in the order in which they are listed. */
export function approvalsByMove(policy: GatePolicy): [ApprovedMove, number][] {
  return APPROVED_MOVES.map((move) => [move, numberFor(policy, move)]);
}

function numberFor({ approvals_by_move, approvals_for_production }: GatePolicy, move: ApprovedMove): number {
  return approvals_by_move[move] ?? approvals_for_production;
}
