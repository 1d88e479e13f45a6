import { approvalNotes, approvalsNeeded } from "./approvals_needed.ts";
import { emptyAnswer } from "./answer.ts";
import { heldUntil, recentRollbacks } from "./caution.ts";
import type { Change } from "./changes.ts";
import { count } from "./count.ts";
import { missing, propose, refuse, refuseForNow } from "./decisions.ts";
import type { Deployment, ModelVersion } from "./entities.ts";
import { type Moment, momentOf } from "./live_figures.ts";
import { deploymentId, rolloutId } from "./names.ts";
import { projectStage, recordProcedure, remember } from "./outbox_entries.ts";
import type { Decision, Plan } from "./plan.ts";
import { namesOf } from "./plan_names.ts";
import { planRollout } from "./rollout_plan.ts";
import { deploymentSteps, draftManifest, newDeployment } from "./planned_deployment.ts";
import { type DeployFacts, type PlannedTraffic, planTraffic } from "./planned_traffic.ts";
import type { DecisionContext, DeployRequest } from "./requests.ts";
import { noRoute, setStatus } from "./route_switch.ts";
import { startRollout } from "./started_rollout.ts";
import { takeOver } from "./warm_server.ts";

export function decideDeploy(request: DeployRequest, facts: DeployFacts, context: DecisionContext): Decision {
  const { version } = facts;
  if (version === null) return missing("Model version", request.model_version_id, "register it first");
  if (version.stage !== request.target_stage) {
    return refuse(
      "stage_mismatch",
      `${version.model_version_id} is at ${version.stage} and cannot be served at ${request.target_stage}; promote it to ${request.target_stage} first.`,
    );
  }
  if (request.target_stage === "production" && facts.open_rollout !== null) {
    const open = facts.open_rollout;
    return refuseForNow(
      `Rollout ${open.rollout_id} of ${open.deployment_id} is ${open.status} on ${open.endpoint_name}; wait for its end, or roll it back first.`,
    );
  }
  const flapping = refuseFlapping(request, facts, context);
  return flapping ?? planDeployment(request, facts, version, context);
}

/** At once, with somebody's approval, a version may go out all the same. */
export function refuseFlapping(
  { target_stage, rollout }: DeployRequest,
  { deployments, aborted, endpoint }: DeployFacts,
  { now }: DecisionContext,
): Decision | null {
  const isAtOnce = planRollout(rollout).steps[0]?.weight === 100;
  if (target_stage !== "production" || isAtOnce) return null;
  const recent = recentRollbacks(deployments, now, aborted);
  const until = heldUntil(recent, now);
  if (until === null) return null;
  return refuseForNow(
    `${endpoint?.endpoint_name ?? "The endpoint"} was rolled back ${count(recent.length, "time")} within an hour, last from ${recent[0]?.bento_tag}; ` +
      `it takes the next rollout at ${until}, or one that goes out at once with an approval.`,
  );
}

/** A first step above this share is as good as going at once, and needs an approval as that does. */
const LARGEST_FIRST_STEP = 50;

/** Serves the version and gives it its traffic, whatever its stage. */
export function planDeployment(
  request: DeployRequest,
  facts: DeployFacts,
  version: ModelVersion,
  context: DecisionContext,
): Decision {
  const id = deploymentId(context.operation_id);
  const traffic = planTraffic(request, facts, id, context.now);
  const deployment = newDeployment(request, version, context, traffic.baseline);
  const name = deployment.endpoint_name;
  const atOnce = traffic.baseline !== null && (traffic.weights[id] ?? 0) > LARGEST_FIRST_STEP;
  const how = traffic.rollout === null ? "" : `, beginning with ${traffic.weights[id] ?? 0} %`;
  const warm = takeOver(deployment, facts);
  const notes = [...notesOn(traffic, facts), ...warm.notes];
  const moment = momentBefore(deployment, traffic, facts);
  return propose({
    summary: `Deploy ${version.model_name} version ${version.version} at ${request.target_stage} on ${name}${how}.`,
    lease_name: name,
    intent: [{ change: "insert_deployment", deployment }, ...warm.intent],
    steps: deploymentSteps(version, deployment, facts.endpoint ?? noRoute, traffic, moment, warm.takes_over),
    on_success: [
      ...outcome(deployment, traffic, facts, context, moment),
      ...announceReplaced(traffic, facts, version, context),
      ...memories(request, version, deployment, traffic, context),
    ],
    on_failure: [
      {
        ...setStatus(id, ["pending", "deploying"], "failed", { keepWarmSeconds: 0 }),
        unless_rolled_back: true,
      },
    ],
    draft: {
      ...emptyAnswer,
      model_version_id: version.model_version_id,
      active_deployment_id: id,
      deployment_manifest: draftManifest(deployment, traffic, facts, context),
      notes,
    },
    notes: atOnce ? [...notes, ...approvalNotes(facts.policy, "immediate_deployment")] : notes,
    approvals_needed: atOnce ? approvalsNeeded(facts.policy, "immediate_deployment") : 0,
    generation: facts.endpoint?.generation ?? 0,
    evidence: atOnce ? { metrics: version.metrics, weights: traffic.weights } : {},
    names: namesOnEndpoint(deployment, facts, context),
  });
}

/** Of the new deployment and its rollout, and of what is on the endpoint now. */
function namesOnEndpoint(
  deployment: Deployment,
  { endpoint, deployments }: DeployFacts,
  { operation_id }: DecisionContext,
): Plan["names"] {
  const { weights, mirror_deployment_id: mirror } = endpoint ?? noRoute;
  const { deployment_id } = deployment;
  const there = deployments.filter(({ deployment_id: id }) => id in weights || id === mirror);
  return namesOf({
    deployments: [...there, deployment],
    rollouts: [{ rollout_id: rolloutId(operation_id), deployment_id }],
  });
}

/** What is replaced had answered so much; the new deployment nothing yet. */
function momentBefore(
  { deployment_id }: Deployment,
  traffic: PlannedTraffic,
  { figures }: DeployFacts,
): Moment {
  const live = figures === null ? { missing: "the router gave none" } : { figures };
  return momentOf(live, { candidate_id: deployment_id, baseline_id: traffic.baseline ?? "" }, null);
}

function notesOn(traffic: PlannedTraffic, { experience, figures }: DeployFacts): string[] {
  const isForgotten = traffic.rollout !== null && experience === null;
  const isUncounted = traffic.baseline !== null && figures === null;
  return [
    ...(traffic.care === null ? [] : [`More careful than asked for: ${traffic.care}`]),
    ...(isForgotten
      ? [
          "degraded: procedural memory gave no answer, so of past rollbacks only those within the last hour count.",
        ]
      : []),
    ...(isUncounted
      ? [
          `degraded: the router gave no figures, so the judge does not know what ${traffic.baseline} answered before this deployment.`,
        ]
      : []),
  ];
}

function outcome(
  deployment: Deployment,
  traffic: PlannedTraffic,
  facts: DeployFacts,
  context: DecisionContext,
  moment: Moment,
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

/** The registry shows what a rollback would bring back, which changes with the deployment that it would roll back. */
function announceReplaced(
  traffic: PlannedTraffic,
  facts: DeployFacts,
  version: ModelVersion,
  context: DecisionContext,
): Change[] {
  const replaced = facts.deployments.find((one) => one.deployment_id === traffic.baseline);
  const isSame = replaced === undefined || replaced.model_version_id === version.model_version_id;
  return isSame ? [] : [projectStage(context.operation_id, replaced.model_version_id)];
}

function memories(
  request: DeployRequest,
  version: ModelVersion,
  deployment: Deployment,
  traffic: PlannedTraffic,
  context: DecisionContext,
): Change[] {
  const pending = traffic.rollout !== null;
  return [
    remember(context.operation_id, {
      event_subtype: "deployment",
      description: `Deployed ${deployment.bento_tag} at ${request.target_stage} on ${deployment.endpoint_name}`,
      experiment_id: version.experiment_id,
      endpoint_name: deployment.endpoint_name,
      outcome_type: pending ? "pending" : "success",
      raw_content: {
        deployment_id: deployment.deployment_id,
        stage: request.target_stage,
        weights: traffic.weights,
      },
      occurred_at: context.now,
    }),
    recordProcedure(context.operation_id, {
      name: `deploy_${request.target_stage}`,
      type: "tool_sequence",
      trigger: `deployment:${version.model_name}`,
      sequence: [
        "package_model",
        "start_server",
        "want_route",
        "apply_route",
        ...(pending ? ["start_rollout"] : []),
      ],
      succeeded: true,
    }),
  ];
}
