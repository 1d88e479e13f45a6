import { emptyAnswer } from "../../domain/answer.ts";
import { missing, planned, propose, refuse, refuseForNow } from "../../planning/decisions.ts";
import { ask, listing } from "../../planning/ways_out/next_steps.ts";
import { cutOffMove, refuseWhileCutOff } from "../../planning/ways_out/unfinished_move.ts";
import { endingsOf } from "../../planning/ways_out/open_rollout.ts";
import type { Deployment, Endpoint, WeightSet } from "../../domain/entities.ts";
import { manifestOf } from "../../planning/manifest.ts";
import { remember } from "../../planning/announcements/outbox_entries.ts";
import type { Decision, PlannedStep } from "../../domain/plan.ts";
import { namesOf } from "../../planning/wording/plan_names.ts";
import { isRouted, serving } from "../../domain/traffic/weights.ts";
import type { DecisionContext, RemovalRequest } from "../../domain/requests.ts";
import { noRoute, setStatus, switchRoute } from "../../planning/route_switch.ts";
import type { RemovalFacts } from "./facts.ts";

/**
 * Removes a server that nobody needs: of staging, of a shadow, of a deployment that failed, was replaced or was rolled
 * back. Servers of production, and those that a rollback would bring back, stay.
 */
export function decideRemoval(
  request: RemovalRequest,
  facts: RemovalFacts,
  context: DecisionContext,
): Decision {
  const { deployment } = facts;
  if (deployment === null) {
    return missing("Deployment", request.deployment_id, "`deployments <endpoint>` lists those that do", [
      listing.deployments,
    ]);
  }
  const obstacle = obstacleTo(deployment, facts, request.removal_reason);
  if (obstacle !== null) return obstacle;
  if (deployment.status === "pending" || deployment.status === "deploying") {
    return refuseForNow(
      `${deployment.deployment_id} is being deployed by ${deployment.operation_id}; wait for its end.`,
    );
  }
  if (deployment.drained_at !== null) return nothingToRemove(deployment, facts.endpoint);
  const { endpoint, open_rollout } = facts;
  const moved = endpoint === null ? null : cutOffMove(facts.serving, endpoint, open_rollout);
  if (moved !== null) return refuseWhileCutOff(moved, `remove ${deployment.deployment_id}`);
  return planRemoval(request, deployment, facts, context);
}

function obstacleTo(deployment: Deployment, facts: RemovalFacts, reason: string): Decision | null {
  const { deployment_id: id, endpoint_name: name, target_stage: stage, model_version_id } = deployment;
  const { endpoint, open_rollout: open, ways_back } = facts;
  const share = endpoint?.weights[id] ?? 0;
  if (open !== null && [open.deployment_id, open.baseline_deployment_id].includes(id)) {
    const side = open.deployment_id === id ? "candidate" : "baseline";
    const sentence = `${id} is the ${side} of ${open.rollout_id}, which is ${open.status}; abort the rollout, or wait for its end.`;
    return refuse("conflict", sentence, { next: endingsOf(open, reason) });
  }
  if (stage === "production" && share > 0) {
    const leave = { deployment_action: "rollback", current_deployment_id: id, rollback_reason: reason };
    const archive = { deployment_action: "promote", model_version_id, target_stage: "archived" };
    const sentence = `${id} has ${share} % of the traffic of ${name}; roll it back, or archive its version, first.`;
    return refuse("conflict", sentence, {
      next: [
        ask(leave, "brings back what served before", "person"),
        ask(
          { ...archive, promotion_reason: reason },
          `takes production away from callers of ${name}`,
          "person",
        ),
      ],
    });
  }
  if (ways_back.includes(id)) {
    const until =
      deployment.drain_due_at === null ? "" : `; its server is kept warm until ${deployment.drain_due_at}`;
    const sentence = `${id} is what a rollback of ${name} brings back${until}. It stays until something newer takes its place, and nothing else is to be done.`;
    return refuse("conflict", sentence);
  }
  return null;
}

function nothingToRemove(deployment: Deployment, endpoint: Endpoint | null): Decision {
  const note = `${deployment.deployment_id} has no server: it was stopped at ${deployment.drained_at}.`;
  return propose({
    summary: `Nothing to remove: ${note}`,
    lease_name: deployment.endpoint_name,
    draft: { ...emptyAnswer, model_version_id: deployment.model_version_id, notes: [note] },
    generation: endpoint?.generation ?? 0,
  });
}

function planRemoval(
  request: RemovalRequest,
  deployment: Deployment,
  facts: RemovalFacts,
  context: DecisionContext,
): Decision {
  const { deployment_id: id, endpoint_name, bento_tag, target_stage, status } = deployment;
  const { endpoint } = facts;
  const ended = status === "rolled_back" || status === "failed" ? status : "draining";
  const end = setStatus(id, [status], ended, { keepWarmSeconds: 0 });
  const route = endpoint === null || !isRouted(id, endpoint) ? null : routeWithout(id, endpoint, facts);
  const switched = route === null || endpoint === null ? [] : leaveRoute(endpoint, route, request);
  const stop = planned({ step: "drain_server", deployment_id: id });
  const shown = endpoint ?? { ...noRoute, endpoint_url: deployment.endpoint_url ?? "" };
  const after = route === null ? shown : { ...shown, ...route, generation: shown.generation + 1 };
  return propose({
    summary: `Remove ${id}, which ${status === "active" ? "serves" : "served"} ${bento_tag} at ${target_stage} on ${endpoint_name}.`,
    lease_name: endpoint_name,
    intent: switched.length === 0 ? [end] : [],
    steps: [
      ...switched.map((step) => (step.do.step === "apply_route" ? { ...step, then: [end] } : step)),
      stop,
    ],
    on_success: [removalRemembered(request, deployment, context)],
    draft: {
      ...emptyAnswer,
      model_version_id: deployment.model_version_id,
      deployment_manifest: manifestOf({ ...deployment, status: ended }, after, null),
      notes: notesOn(deployment, route),
    },
    generation: endpoint?.generation ?? 0,
    notes: notesOn(deployment, route),
    names: namesOf({ deployments: [deployment] }),
  });
}

interface RouteAfter {
  weights: WeightSet;
  mirror_deployment_id: string | null;
}

/** A deployment of staging has all of its endpoint's traffic, so the route without it is empty. */
function routeWithout(id: string, { weights }: Endpoint, { other_mirror }: RemovalFacts): RouteAfter {
  return { weights: (weights[id] ?? 0) > 0 ? {} : weights, mirror_deployment_id: other_mirror };
}

/** The endpoint is closed where nothing is left on it; its next deployment opens it at the same address. */
function leaveRoute(endpoint: Endpoint, route: RouteAfter, request: RemovalRequest): PlannedStep[] {
  const { endpoint_name } = endpoint;
  const reason = `removal of ${request.deployment_id}: ${request.removal_reason}`;
  const isEmpty = serving(route.weights).length === 0 && route.mirror_deployment_id === null;
  return [
    ...switchRoute({ endpoint_name, before: endpoint, ...route, reason }),
    ...(isEmpty ? [planned({ step: "close_endpoint", endpoint_name })] : []),
  ];
}

function notesOn({ target_stage, endpoint_name, model_version_id }: Deployment, route: RouteAfter | null) {
  if (route === null) return [];
  const stays = `${model_version_id} stays at ${target_stage}; a deployment serves it again.`;
  if (target_stage !== "staging") return [stays];
  return [`Callers of ${endpoint_name} get no answer until something is deployed there.`, stays];
}

function removalRemembered(
  { removal_reason: reason }: RemovalRequest,
  { deployment_id, bento_tag, target_stage, endpoint_name, experiment_id }: Deployment,
  context: DecisionContext,
) {
  return remember(context.operation_id, {
    event_subtype: "removal",
    description: `Removed the server of ${bento_tag} at ${target_stage} from ${endpoint_name}: ${reason}`,
    experiment_id,
    endpoint_name,
    outcome_type: "success",
    raw_content: { deployment_id, reason, by: context.requested_by },
    occurred_at: context.now,
  });
}
