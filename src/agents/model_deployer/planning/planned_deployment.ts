import type { DeploymentManifest } from "../domain/answer.ts";
import { planned } from "./decisions.ts";
import { type RouteSwitch, setStatus, switchRoute } from "./route_switch.ts";
import type { Deployment, ModelVersion, Resources } from "../domain/entities.ts";
import type { GatePolicy } from "../domain/models/gate_policy.ts";
import type { EngineKind } from "../domain/servers/engines.ts";
import { allowedFormats } from "../domain/models/allowed_formats.ts";
import { allowedSigners } from "../domain/models/signers.ts";
import type { Moment } from "../judge/counts/live_figures.ts";
import { bentoTag, deploymentId, endpointName, rolloutId } from "../domain/values/names.ts";
import type { PlannedStep, StepOf } from "../domain/plan.ts";
import type { PlannedTraffic } from "../domain/traffic/planned_traffic.ts";
import type { DecisionContext, DeployRequest } from "../domain/requests.ts";

/** The deployments whose running server a new deployment gets instead of starting its own. */
export interface TakeOver {
  /** One that has ended already; null where there is none. */
  takes_over: string | null;
  /** One of the version that is still routed to: its shadow, which ends with the same switch, or `leaves`; null without one. */
  adopts: string | null;
  /** The adopted one, where it leaves another endpoint than that of the new one; null otherwise. */
  leaves: LeftEndpoint | null;
}

export interface LeftEndpoint {
  endpoint_name: string;
  before: RouteSwitch["before"];
}

/** How often a running rollout is looked at. */
export const LOOK_SECONDS = 1;

/** How often a completed rollout is looked at until its retention period ends. */
export const WATCH_SECONDS = 5;

export function secondsAfter(instant: string, seconds: number): string {
  return new Date(Date.parse(instant) + seconds * 1000).toISOString();
}

/** A completed rollout is looked at for as long as what it replaced is kept warm. */
export function watchAfter(retentionSeconds: number, { now }: DecisionContext) {
  if (retentionSeconds === 0) return { next_tick_at: null, watched_until: null };
  return {
    next_tick_at: secondsAfter(now, WATCH_SECONDS),
    watched_until: secondsAfter(now, retentionSeconds),
  };
}

export function newDeployment(
  request: DeployRequest,
  version: ModelVersion,
  context: DecisionContext,
  { engine, previous }: { engine: EngineKind; previous: string | null },
): Deployment {
  return {
    deployment_id: deploymentId(context.operation_id),
    model_version_id: version.model_version_id,
    experiment_id: version.experiment_id,
    operation_id: context.operation_id,
    target_stage: request.target_stage,
    endpoint_name: endpointName(version.experiment_id, request.target_stage),
    engine,
    endpoint_url: null,
    status: "pending",
    replicas: request.replicas,
    cpu_limit: request.cpu_limit,
    memory_limit: request.memory_limit,
    autoscaling: request.autoscaling,
    model_artifact_uri: version.model_artifact_uri,
    preprocessing_artifact_uri: version.preprocessing_artifact_uri,
    bento_tag: bentoTag(version),
    traffic_percentage: 0,
    previous_deployment_id: previous,
    deployed_by: "model_deployer",
    deployed_at: context.now,
    activated_at: null,
    deployment_duration_seconds: null,
    drain_due_at: null,
    drained_at: null,
    rolled_back_at: null,
    rollback_reason: null,
  };
}

export function deploymentSteps(
  version: ModelVersion,
  deployment: Deployment,
  before: RouteSwitch["before"],
  traffic: PlannedTraffic,
  moment: Moment,
  served: TakeOver & { sizedBy: string | null; isNew: boolean },
  rows: StepOf<"replay_rows"> | null = null,
  policy: Pick<GatePolicy, "formats" | "signers"> = { formats: null, signers: null },
): PlannedStep[] {
  const { deployment_id: id, endpoint_name: name } = deployment;
  // Before the route's own undo, which mirrors to the shadow again.
  const givenBack: StepOf<"give_back_server">[] =
    served.adopts === null
      ? []
      : [{ step: "give_back_server", deployment_id: id, to_deployment_id: served.adopts }];
  const switched = [
    ...switchRoute({
      endpoint_name: name,
      before,
      weights: traffic.weights,
      mirror_deployment_id: traffic.mirror,
      reason: `deploy ${id}`,
      moment,
    }),
    // Its callers are answered until what got its server is served.
    ...(served.leaves === null ? [] : leave(served.leaves, deployment)),
  ];
  return [
    planned(
      {
        ...{ step: "open_endpoint", endpoint_name: name, experiment_id: version.experiment_id },
        ...(served.isNew && onEngine(deployment)),
      },
      { then: [setStatus(id, ["pending"], "deploying")] },
    ),
    planned(allowedPackageOf(version, policy)),
    planned(
      { ...startOf(deployment, served), ...(served.sizedBy !== null && { sized_by: served.sizedBy }) },
      { undo: [...givenBack, { step: "stop_server", deployment_id: id }] },
    ),
    ...(rows === null ? [] : [planned(rows)]),
    ...switched.map((step) =>
      step.undo.length === 0 ? step : { ...step, undo: [...givenBack, ...step.undo] },
    ),
  ];
}

/** The adopted deployment had all of its endpoint's traffic, which stays open and says so. */
function leave({ endpoint_name, before }: LeftEndpoint, { deployment_id, target_stage }: Deployment) {
  const reason = `its server became that of ${deployment_id} at ${target_stage}`;
  return switchRoute({ endpoint_name, before, weights: {}, mirror_deployment_id: null, reason });
}

export function startOf(
  deployment: Deployment,
  { takes_over, adopts, leaves }: TakeOver = { takes_over: null, adopts: null, leaves: null },
): StepOf<"start_server"> {
  const { deployment_id, bento_tag } = deployment;
  const resources = resourcesOf(deployment);
  const must_adopt = true as const;
  const adopted = adopts === null ? {} : { adopts, ...(leaves !== null && { must_adopt }) };
  const where = onEngine(deployment);
  return { step: "start_server", deployment_id, bento_tag, resources, takes_over, ...adopted, ...where };
}

const onEngine = ({ engine }: Deployment): { engine?: EngineKind } => (engine === null ? {} : { engine });

export function resourcesOf({ replicas, cpu_limit, memory_limit, autoscaling }: Deployment): Resources {
  return { replicas, cpu_limit, memory_limit, autoscaling };
}

/** For a server that had traffic, and whose process is gone. */
export function startAgainOf(deployment: Deployment): StepOf<"start_server"> {
  return { ...startOf(deployment), served_before: true };
}

/** For a server that has a process and does not answer. */
export function startBesideOf(deployment: Deployment): StepOf<"start_server"> {
  return { ...startAgainOf(deployment), beside: true };
}

/** Packaging looks at the formats or the signature where the version's registration did not. */
function allowedPackageOf(
  version: ModelVersion,
  policy: Pick<GatePolicy, "formats" | "signers">,
): StepOf<"package_model"> {
  const { experiment_id, loading, signed_by } = version;
  const allowed = loading === null ? allowedFormats(experiment_id, policy) : undefined;
  const signers = signed_by === null ? allowedSigners(experiment_id, policy) : undefined;
  return { ...packageOf(version), ...(allowed && { allowed }), ...(signers && { signers }) };
}

export function packageOf(version: ModelVersion): StepOf<"package_model"> {
  return {
    step: "package_model",
    bento_tag: bentoTag(version),
    model_version_id: version.model_version_id,
    model_name: version.model_name,
    version: version.version,
    model_artifact_uri: version.model_artifact_uri,
    preprocessing_artifact_uri: version.preprocessing_artifact_uri,
    artifact_digest: version.artifact_digest,
    preprocessing_digest: version.preprocessing_digest,
  };
}

export function draftRollout(
  traffic: PlannedTraffic,
  context: DecisionContext,
): DeploymentManifest["rollout"] {
  if (traffic.rollout === null) return null;
  return {
    rollout_id: rolloutId(context.operation_id),
    status: "running",
    step_index: 0,
    steps: traffic.rollout.steps,
    next_tick_at: secondsAfter(context.now, LOOK_SECONDS),
  };
}
