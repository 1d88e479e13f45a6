import type { Advance } from "../domain/decide_advance.ts";
import { decideAdvance } from "../domain/decide_advance.ts";
import { missing, propose } from "../domain/decisions.ts";
import type { Deployment } from "../domain/entities.ts";
import { answeredSince } from "../domain/live_figures.ts";
import type { Life } from "../domain/liveness.ts";
import type { DecisionContext } from "../domain/requests.ts";
import type { Rollout } from "../domain/rollout.ts";
import type { EndpointManager } from "../endpoint_manager.ts";
import type { Planner } from "../operation_runner.ts";
import type { Parts, Settings } from "../parts.ts";
import type { CallOptions } from "../ports.ts";
import { plannerFor } from "./planner.ts";
import { gatherWayBack } from "./rollback.ts";

/** Looks at a rollout: takes the next step, completes it or rolls it back. Holding is written by `look`, not planned. */
export function advancePlanner(parts: Parts, endpoints: EndpointManager, settings: Settings): Planner {
  return plannerFor("advance", async (request, context, options) => {
    const rollout = await parts.database.rollouts.get(request.rollout_id);
    if (rollout === null)
      return missing("Rollout", request.rollout_id, "see status for the rollouts that run");
    const advance = await look(parts, endpoints, settings, rollout, context, options);
    switch (advance.advance) {
      case "move":
        return advance.decision;
      case "hold":
        return propose({
          summary: `Hold: ${advance.verdict.reason}`,
          lease_name: `rollout/${request.rollout_id}`,
        });
      case "stuck":
      case "nothing":
        return propose({
          summary: `Nothing to do: ${advance.why}.`,
          lease_name: `rollout/${request.rollout_id}`,
        });
      default:
        return advance satisfies never;
    }
  });
}

/** @param rollout as it was read or claimed just now */
export async function look(
  parts: Parts,
  endpoints: EndpointManager,
  settings: Settings,
  rollout: Rollout,
  context: DecisionContext,
  options: CallOptions,
): Promise<Advance> {
  const [rollback, figures] = await Promise.all([
    gatherWayBack(parts.database, endpoints, rollout.deployment_id, options),
    endpoints.figures(rollout.endpoint_name, options),
  ]);
  const lifeOf = async (deployment: Deployment | null): Promise<Life> => {
    if (deployment === null) return { life: "gone", why: "its deployment does not exist" };
    const hasAnswered = answeredSince(deployment.deployment_id, rollout.judge_state.last_figures, figures);
    return endpoints.lifeOf(deployment, { now: context.now, hasAnswered }, options);
  };
  const [candidate_life, previous_life] = await Promise.all([
    lifeOf(rollback.current),
    rollback.previous_is_ready ? { life: "alive" as const } : lifeOf(rollback.previous),
  ]);
  const facts = {
    ...rollback,
    rollout,
    figures,
    candidate_life,
    previous_life,
    retention_seconds: settings.retention_seconds,
  };
  return decideAdvance(facts, context);
}
