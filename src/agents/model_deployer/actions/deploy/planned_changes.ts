import type { Change } from "../../domain/changes.ts";
import type { Deployment, ModelVersion } from "../../domain/entities.ts";
import type { Plan } from "../../domain/plan.ts";
import type { DecisionContext, DeployRequest } from "../../domain/requests.ts";
import type { EngineKind } from "../../domain/servers/engines.ts";
import type { PlannedTraffic } from "../../domain/traffic/planned_traffic.ts";
import type { Moment } from "../../judge/counts/live_figures.ts";
import { setStatus } from "../../planning/route_switch.ts";
import { announceReplaced, memories } from "./announced_deployment.ts";
import type { DeployFacts } from "./facts.ts";
import { startRollout } from "./started_rollout.ts";
import type { PlannedTakeOver } from "./warm_server.ts";

/** Where a version will be served: its new deployment with an engine, its traffic and the server that it takes over. */
export interface Placement {
  version: ModelVersion;
  deployment: Deployment;
  engine: EngineKind;
  traffic: PlannedTraffic;
  warm: PlannedTakeOver;
  /** The figures of the endpoint before the deployment. */
  moment: Moment;
}

/** Changes of the database before the deployment's first step, when it succeeds, and when it fails. */
export function deploymentChanges(
  request: DeployRequest,
  placement: Placement,
  facts: DeployFacts,
  context: DecisionContext,
): Pick<Plan, "intent" | "on_success" | "on_failure"> {
  const { version, deployment, traffic, warm } = placement;
  return {
    intent: [{ change: "insert_deployment", deployment }, ...warm.intent],
    on_success: [
      ...served(placement, facts, context),
      ...warm.on_success,
      ...announceReplaced(traffic, facts, version, context),
      ...memories(request, version, deployment, traffic, context),
    ],
    on_failure: [notServed(deployment)],
  };
}

function served(
  { deployment, traffic, moment }: Placement,
  facts: DeployFacts,
  context: DecisionContext,
): Change[] {
  const id = deployment.deployment_id;
  const replaced = traffic.replaced.map((one) =>
    setStatus(one.deployment_id, ["active", "deploying"], "draining", {
      keepWarmSeconds: one.keep_warm_seconds,
    }),
  );
  const started = startRollout(deployment, traffic, facts, context);
  return [
    ...(traffic.rollout === null ? [setStatus(id, ["deploying"], "active")] : []),
    ...replaced,
    ...(started === null ? [] : [{ ...started, ...moment }]),
  ];
}

const notServed = ({ deployment_id: id }: Deployment): Change => ({
  ...setStatus(id, ["pending", "deploying"], "failed", { keepWarmSeconds: 0 }),
  unless_ended: true,
});
