import { emptyAnswer } from "../../domain/answer.ts";
import { missing, propose } from "../../planning/decisions.ts";
import { refuseWhileRollingOut } from "../../planning/ways_out/open_rollout.ts";
import type { Deployment, ModelVersion } from "../../domain/entities.ts";
import { type Moment, momentOf } from "../../judge/counts/live_figures.ts";
import { vulnerabilityNotes } from "../../domain/models/known_vulnerabilities.ts";
import { deploymentId, rolloutId } from "../../domain/values/names.ts";
import type { Decision, Plan, PlannedStep, StepOf } from "../../domain/plan.ts";
import { namesOf } from "../../planning/wording/plan_names.ts";
import { deploymentSteps, newDeployment } from "../../planning/planned_deployment.ts";
import { deploymentChanges, type Placement } from "./planned_changes.ts";
import { askedAtOnce } from "./deployment_at_once.ts";
import { draftManifest } from "./draft_manifest.ts";
import {
  refuseDuringCutOffMove,
  refuseFlapping,
  refuseFormats,
  refuseSettings,
  refuseSigners,
  refuseStage,
  refuseVulnerabilities,
} from "./refusals.ts";
import { planTraffic } from "./plan_traffic.ts";
import { type PlannedTraffic } from "../../domain/traffic/planned_traffic.ts";
import { expectationNotes, expectationOf } from "./expectation.ts";
import { type DeployFacts } from "./facts.ts";
import { engineOf } from "../../domain/servers/engines.ts";
import { chosenEngine, engineNotes, refuseEngine, servedOn } from "./served_on.ts";
import { serving } from "../../domain/traffic/weights.ts";
import type { DecisionContext, DeployRequest } from "../../domain/requests.ts";
import { noRoute } from "../../planning/route_switch.ts";
import { listing } from "../../planning/ways_out/next_steps.ts";
import { withSignature } from "../../planning/comparisons/signature_comparison.ts";
import { leasesOf, takeOver } from "./warm_server.ts";

export function decideDeploy(request: DeployRequest, facts: DeployFacts, context: DecisionContext): Decision {
  const { version } = facts;
  if (version === null)
    return missing("Model version", request.model_version_id, "register it first", [listing.versions]);
  if (version.stage !== request.target_stage) return refuseStage(request, version, facts);
  if (request.target_stage === "production" && facts.open_rollout !== null) {
    return refuseWhileRollingOut(facts.open_rollout, `deploy ${version.model_version_id}`, "a newer version");
  }
  const flapping = refuseFlapping(request, facts, context);
  return flapping ?? planDeployment(request, facts, version, context);
}

/** Serves the version and gives it its traffic, whatever its stage. */
export function planDeployment(...[request, facts, version, context]: Parameters<typeof plan>): Decision {
  const refused =
    refuseFormats(version, facts) ??
    refuseSigners(version, facts) ??
    refuseEngine(request, version.experiment_id, facts) ??
    refuseVulnerabilities(version, facts) ??
    refuseSettings(request, facts) ??
    refuseDuringCutOffMove(request, facts);
  if (refused !== null) return refused;
  return withSignature(plan(request, facts, version, context), version, facts.serves_now);
}

function plan(
  request: DeployRequest,
  facts: DeployFacts,
  version: ModelVersion,
  context: DecisionContext,
): Decision {
  const placement = placementOf(request, facts, version, context);
  const { deployment, engine, traffic, warm } = placement;
  const id = deployment.deployment_id;
  const notes = [...notesOn(traffic, facts), ...engineNotes(engine, facts), ...warm.notes];
  const expectation = expectationOf(traffic, facts, context);
  const asked = askedAtOnce(traffic, traffic.weights[id] ?? 0, version, facts, context);
  return propose({
    summary: summaryOf(version, deployment, traffic, servedOn(engine, facts)),
    ...leasesOf(deployment, warm),
    ...deploymentChanges(request, placement, facts, context),
    steps: stepsOf(placement, facts),
    draft: {
      ...emptyAnswer,
      model_version_id: version.model_version_id,
      active_deployment_id: id,
      deployment_manifest: draftManifest(deployment, traffic, facts, context),
      notes,
    },
    ...asked,
    notes: [...notes, ...expectationNotes(expectation, traffic), ...asked.notes],
    generation: facts.endpoint?.generation ?? 0,
    expectation,
    names: namesOnEndpoint(deployment, facts, context),
  });
}

function placementOf(
  request: DeployRequest,
  facts: DeployFacts,
  version: ModelVersion,
  context: DecisionContext,
): Placement {
  const traffic = planTraffic(request, facts, deploymentId(context.operation_id), context.now);
  const engine = chosenEngine(request, facts);
  const deployment = newDeployment(request, version, context, { engine, previous: traffic.baseline });
  const warm = takeOver(deployment, facts, request);
  return { version, deployment, engine, traffic, warm, moment: momentBefore(deployment, traffic, facts) };
}

function stepsOf(
  { version, deployment, traffic, warm, moment }: Placement,
  facts: DeployFacts,
): PlannedStep[] {
  return deploymentSteps(
    version,
    deployment,
    facts.endpoint ?? noRoute,
    traffic,
    moment,
    { ...warm, sizedBy: sizedBy(deployment, facts), isNew: facts.endpoint === null },
    rowsFirst(deployment, traffic, facts),
    facts.policy,
  );
}

function summaryOf(
  { model_name, version }: ModelVersion,
  { deployment_id: id, endpoint_name, target_stage }: Deployment,
  traffic: PlannedTraffic,
  where: string,
): string {
  const how = traffic.rollout === null ? "" : `, beginning with ${traffic.weights[id] ?? 0} %`;
  return `Deploy ${model_name} version ${version} at ${target_stage} on ${endpoint_name}${where}${how}.`;
}

/**
 * A version that is to take production's requests, or copies of them, begins with as many servers as production has
 * there: another engine knows nothing of them.
 */
function sizedBy(wanted: Deployment, { endpoint, deployments, engines }: DeployFacts): string | null {
  if (wanted.target_stage === "staging") return null;
  const [first] = serving(endpoint?.weights ?? {});
  const production = deployments.find(({ deployment_id: id }) => id === first);
  const isElsewhere = production !== undefined && engineOf(production, engines) !== wanted.engine;
  return isElsewhere ? null : (first ?? null);
}

/** Kept rows are sent to a candidate before its first share of production. */
function rowsFirst(
  { deployment_id, endpoint_name }: Deployment,
  { baseline }: PlannedTraffic,
  { policy: { kept_rows } }: DeployFacts,
): StepOf<"replay_rows"> | null {
  if (kept_rows === null || baseline === null) return null;
  const { on_errors } = kept_rows;
  return { step: "replay_rows", endpoint_name, deployment_id, baseline_deployment_id: baseline, on_errors };
}

/** Names of the new deployment and its rollout, and of everything on the endpoint now. */
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

/** The figures that the replaced version had at that moment; the new deployment has none yet. */
function momentBefore(
  { deployment_id }: Deployment,
  traffic: PlannedTraffic,
  { figures }: DeployFacts,
): Moment {
  const live = figures === null ? { missing: "the router gave none" } : { figures };
  return momentOf(live, { candidate_id: deployment_id, baseline_id: traffic.baseline ?? "" }, null);
}

function notesOn(
  traffic: PlannedTraffic,
  { experience, figures, other_python, vulnerabilities }: DeployFacts,
): string[] {
  const isForgotten = traffic.rollout !== null && experience === null;
  const isUncounted = traffic.baseline !== null && figures === null;
  return [
    ...(traffic.care === null ? [] : [`More careful than asked for: ${traffic.care}`]),
    ...(other_python === null
      ? []
      : [
          `The model was logged under Python ${other_python.logged_under}, which is not to be had here: it is served with ${other_python.served_with}.`,
        ]),
    ...vulnerabilityNotes(vulnerabilities),
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
