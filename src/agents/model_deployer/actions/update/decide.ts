import { emptyAnswer } from "../../domain/answer.ts";
import type { Change } from "../../domain/changes.ts";
import type { Deployment, Endpoint, ModelVersion, Resources } from "../../domain/entities.ts";
import type { Decision, PlannedStep } from "../../domain/plan.ts";
import { bytesOf, inUnitOf } from "../../domain/servers/quantities.ts";
import type { DecisionContext, UpdateRequest } from "../../domain/requests.ts";
import { isRouted } from "../../domain/traffic/weights.ts";
import { missing, planned, propose, refuse, refuseForNow } from "../../planning/decisions.ts";
import { manifestOf } from "../../planning/manifest.ts";
import { ask, listing } from "../../planning/ways_out/next_steps.ts";
import { remember } from "../../planning/announcements/outbox_entries.ts";
import { namesOf } from "../../planning/wording/plan_names.ts";
import { packageOf, resourcesOf, startAgainOf } from "../../planning/planned_deployment.ts";
import { noRoute } from "../../planning/route_switch.ts";
import type { UpdateFacts } from "./facts.ts";

/** Brings a deployment to other replicas, limits and bounds, with the servers that it has. */
export function decideUpdate(request: UpdateRequest, facts: UpdateFacts, context: DecisionContext): Decision {
  const { deployment, version, endpoint } = facts;
  if (deployment === null || version === null) {
    return missing("Deployment", request.deployment_id, "`deployments <endpoint>` lists those that do", [
      listing.deployments,
    ]);
  }
  const { deployment_id: id, status, model_version_id, target_stage } = deployment;
  if (status === "pending" || status === "deploying") {
    return refuseForNow(`${id} is being deployed by ${deployment.operation_id}; wait for its end.`);
  }
  if (status !== "active" || deployment.drained_at !== null) {
    const deploy = { deployment_action: "deploy", model_version_id, target_stage };
    return refuse("conflict", `${id} is ${status} and serves nobody; deploy its version anew.`, {
      next: [ask(deploy, `serves ${model_version_id} as another deployment`)],
    });
  }
  const before = resourcesOf(deployment);
  const wanted = wantedOf(request, before);
  const sentence = refusedBounds(wanted) ?? refusedMemory(wanted, facts);
  if (sentence !== null) return refuse("invalid_request", sentence);
  return planUpdate(
    request,
    { deployment, version, endpoint, isMeasured: facts.used !== null },
    wanted,
    context,
  );
}

/** The number of servers follows bounds that leave it out. */
function wantedOf(request: UpdateRequest, before: Resources): Resources {
  const autoscaling = request.autoscaling ?? before.autoscaling;
  const within = Math.min(autoscaling.max, Math.max(autoscaling.min, before.replicas));
  return {
    replicas: request.replicas ?? (request.autoscaling === undefined ? before.replicas : within),
    cpu_limit: request.cpu_limit ?? before.cpu_limit,
    memory_limit: request.memory_limit ?? before.memory_limit,
    autoscaling,
  };
}

function refusedBounds({ replicas, autoscaling: { min, max } }: Resources): string | null {
  if (replicas >= min && replicas <= max) return null;
  const bound = replicas > max ? `above autoscaling.max ${max}` : `below autoscaling.min ${min}`;
  return `replicas ${replicas} is ${bound}, and would be undone by autoscaling; change that bound as well.`;
}

function refusedMemory({ memory_limit }: Resources, { used }: UpdateFacts): string | null {
  const most = Math.max(0, ...(used ?? []).map(({ memory_bytes }) => memory_bytes));
  if (most <= bytesOf(memory_limit)) return null;
  const held = `${inUnitOf(memory_limit, most)} of ${memory_limit}`;
  return `memory_limit ${memory_limit} is below what is in use: a server holds ${held}. Ask for more, or restart it first.`;
}

interface Updated {
  deployment: Deployment;
  version: ModelVersion;
  endpoint: Endpoint | null;
  isMeasured: boolean;
}

function planUpdate(
  request: UpdateRequest,
  { deployment, version, endpoint, isMeasured }: Updated,
  wanted: Resources,
  context: DecisionContext,
): Decision {
  const { deployment_id: id, endpoint_name } = deployment;
  const before = resourcesOf(deployment);
  const changes = differences(before, wanted);
  const plan = {
    lease_name: endpoint_name,
    draft: {
      ...emptyAnswer,
      model_version_id: deployment.model_version_id,
      deployment_manifest: manifestOf({ ...deployment, ...wanted }, endpoint ?? unopened(deployment), null),
    },
    generation: endpoint?.generation ?? 0,
    notes: notesOn(before, wanted, isMeasured),
    names: namesOf({ deployments: [deployment] }),
  };
  if (changes.length === 0) {
    return propose({ ...plan, summary: `${id} has these resources already.`, steps: [], on_success: [] });
  }
  return propose({
    ...plan,
    summary: `Update ${id} on ${endpoint_name}: ${changes.join(", ")}.`,
    intent: [setResources(id, before, wanted)],
    steps: stepsOf(deployment, version, endpoint, wanted),
    on_success: [updateRemembered(request, deployment, changes, context)],
    on_failure: [setResources(id, wanted, before)],
  });
}

/** The endpoint of a deployment before its first route. */
const unopened = ({ endpoint_url }: Deployment) => ({ ...noRoute, endpoint_url: endpoint_url ?? "" });

function notesOn(before: Resources, wanted: Resources, isMeasured: boolean): string[] {
  const unmeasured = "What its servers use is not known here, so the limits are not held against it.";
  const more = "There has to be memory for the further servers.";
  return [...(isMeasured ? [] : [unmeasured]), ...(wanted.replicas > before.replicas ? [more] : [])];
}

function setResources(deployment_id: string, expected: Resources, resources: Resources): Change {
  return { change: "set_resources", deployment_id, expected, resources };
}

/** Servers first, then the router's addresses, and the end of those that are too many last. */
function stepsOf(
  deployment: Deployment,
  version: ModelVersion,
  endpoint: Endpoint | null,
  wanted: Resources,
): PlannedStep[] {
  const { deployment_id, endpoint_name, bento_tag } = deployment;
  const isOnRoute = endpoint !== null && isRouted(deployment_id, endpoint);
  const route = isOnRoute
    ? [{ step: "apply_route", endpoint_name, generation: endpoint.generation } as const]
    : [];
  const stopFormer = { step: "stop_server", deployment_id, only_former: true } as const;
  return [
    planned({ ...packageOf(version), bento_tag }),
    planned(startAgainOf({ ...deployment, ...wanted }), {
      undo: [startAgainOf(deployment), ...route, stopFormer],
    }),
    ...route.map((step) => planned(step)),
    planned(stopFormer),
  ];
}

/** A sentence for each field that changes. */
export function differences(before: Resources, wanted: Resources): string[] {
  const { autoscaling: was, ...limits } = before;
  const { autoscaling: will, ...next } = wanted;
  const one = (name: string, from: string | number, to: string | number) =>
    from === to ? [] : [`${name} ${from} → ${to}`];
  return [
    ...one("replicas", limits.replicas, next.replicas),
    ...one("cpu_limit", limits.cpu_limit, next.cpu_limit),
    ...one("memory_limit", limits.memory_limit, next.memory_limit),
    ...one("autoscaling.min", was.min, will.min),
    ...one("autoscaling.max", was.max, will.max),
    ...one("autoscaling.target_cpu", was.target_cpu, will.target_cpu),
  ];
}

function updateRemembered(
  { update_reason: reason }: UpdateRequest,
  { deployment_id, bento_tag, endpoint_name, experiment_id }: Deployment,
  changes: string[],
  context: DecisionContext,
) {
  return remember(context.operation_id, {
    event_subtype: "update",
    description: `Updated ${bento_tag} on ${endpoint_name} (${changes.join(", ")}): ${reason}`,
    experiment_id,
    endpoint_name,
    outcome_type: "success",
    raw_content: { deployment_id, changes, reason, by: context.requested_by },
    occurred_at: context.now,
  });
}
