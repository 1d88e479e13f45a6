import type { Advance } from "./outcomes.ts";
import { decideAdvance } from "./decide.ts";
import { missing, propose } from "../../planning/decisions.ts";
import { listing } from "../../planning/ways_out/next_steps.ts";
import type { Deployment } from "../../domain/entities.ts";
import { answeredSince } from "../../judge/counts/live_figures.ts";
import type { Life } from "../../domain/servers/liveness.ts";
import type { DecisionContext } from "../../domain/requests.ts";
import type { Rollout } from "../../domain/traffic/rollout.ts";
import type { EndpointManager } from "../../effects/endpoint_manager.ts";
import { type Planner, plannerFor } from "../planner.ts";
import type { Parts, Settings } from "../../ports/parts.ts";
import type { CallOptions } from "../../ports/call_options.ts";
import { gatherPredictions } from "./gather_predictions.ts";
import { gatherMetrics } from "./gather_metrics.ts";
import { gatherWayBack } from "../rollback/gather.ts";

/** Looks at a rollout: takes the next step, completes it or rolls it back. Holding is written by `look`, not planned. */
export function advancePlanner(parts: Parts, endpoints: EndpointManager, settings: Settings): Planner {
  return plannerFor("advance", async (request, context, options) => {
    const rollout = await parts.database.rollouts.get(request.rollout_id);
    if (rollout === null)
      return missing("Rollout", request.rollout_id, "see status for the rollouts that run", [
        listing.endpoints,
      ]);
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

/** @param rollout as it was just read or claimed */
export async function look(
  parts: Parts,
  endpoints: EndpointManager,
  settings: Settings,
  rollout: Rollout,
  context: DecisionContext,
  options: CallOptions,
): Promise<Advance> {
  // Counters are read before the route: a route that is in force afterwards was in force while they grew.
  const figures = await endpoints.figures(rollout.endpoint_name, options);
  const rollback = await gatherWayBack(parts.database, endpoints, rollout.deployment_id, options);
  const lifeOf = async (deployment: Deployment | null): Promise<{ life: Life; hangs: boolean }> => {
    if (deployment === null)
      return { life: { life: "gone", why: "its deployment does not exist" }, hangs: false };
    const hasAnswered = answeredSince(deployment.deployment_id, rollout.judge_state.last_figures, figures);
    return endpoints.servers.lifeOf(deployment, { now: context.now, hasAnswered }, options);
  };
  const [candidate, previous, outcomes, predictions, metrics] = await Promise.all([
    lifeOf(rollback.current),
    lifeOf(rollback.previous),
    endpoints.outcomes.lookUp(rollout, options),
    gatherPredictions(parts.predictionLogs, rollout, options),
    gatherMetrics(parts.teamMetrics, rollout, rollback, context.now, options),
  ]);
  const facts = {
    ...rollback,
    rollout,
    figures,
    candidate_life: candidate.life,
    previous_life: previous.life,
    candidate_hangs: candidate.hangs,
    previous_hangs: previous.hangs,
    retention_seconds: settings.retention_seconds,
    answer_seconds: settings.answer_seconds,
    ...outcomes,
    ...predictions,
    metrics,
  };
  return decideAdvance(facts, context);
}
