import type { ChangeOf } from "../../domain/changes.ts";
import type { Verdict } from "../../domain/evidence/judgement.ts";
import type { Decision } from "../../domain/plan.ts";
import { planRollback } from "../rollback/decide.ts";
import type { Look } from "./look.ts";
import { holdRollout } from "./plans.ts";

export type Advance =
  | { advance: "nothing"; why: string }
  /** The rollout should move and cannot: a person has to look. */
  | { advance: "stuck"; why: string }
  /** `problem` is a sentence for a person, though no traffic moves. */
  | { advance: "hold"; change: ChangeOf<"move_rollout">; verdict: Verdict; problem: string | null }
  | { advance: "move"; decision: Decision; verdict: Verdict; problem: string | null };

export const move = ({ verdict }: Look, decision: Decision, problem: string | null = null): Advance => ({
  advance: "move",
  decision,
  verdict,
  problem,
});

export function hold(
  look: Look,
  to: Partial<ChangeOf<"move_rollout">> = {},
  problem: string | null = null,
): Advance {
  return { advance: "hold", change: holdRollout(look, to), verdict: look.verdict, problem };
}

export function rollBack({ facts, context, state, verdict, kept }: Look, how: string): Advance {
  const { rollout, current, endpoint, previous } = facts;
  const { previous_version: previousVersion, current_version: currentVersion } = facts;
  const isLost =
    current === null ||
    endpoint === null ||
    previous === null ||
    previousVersion === null ||
    currentVersion === null;
  if (isLost) {
    return {
      advance: "stuck",
      why: `${rollout.rollout_id} has lost its endpoint or one of its deployments: ${verdict.reason}`,
    };
  }
  const { previous_server: server, figures } = facts;
  const live = { figures };
  const reversal = { current, currentVersion, endpoint, previous, previousVersion, rollout, server, live };
  const decision = planRollback(reversal, `${how}: ${verdict.reason}`, context, { state, verdict, kept });
  return { advance: "move", decision, verdict, problem: null };
}
