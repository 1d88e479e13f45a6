import { approvalNotes, approvalsNeeded, forRequester } from "../../planning/approval/approvals_needed.ts";
import type { NextStep } from "../../../base/next_step.ts";
import type { Change } from "../../domain/changes.ts";
import { planDeployment } from "../deploy/decide.ts";
import { refuseFlapping } from "../deploy/refusals.ts";
import { noRollout } from "./controlled.ts";
import { refuse } from "../../planning/decisions.ts";
import { ask } from "../../planning/ways_out/next_steps.ts";
import { stepsToNextStage } from "../../planning/ways_out/stage_steps.ts";
import { refuseWhileRollingOut } from "../../planning/ways_out/open_rollout.ts";
import { waysOfEnded } from "../rollback/ended_version.ts";
import type { Deployment, ModelVersion } from "../../domain/entities.ts";
import { projectStage } from "../../planning/announcements/outbox_entries.ts";
import type { Decision, Plan, UnmetCriterion } from "../../domain/plan.ts";
import { namesOf } from "../../planning/wording/plan_names.ts";
import { loadingEvidence } from "../../planning/approval/loading_rows.ts";
import { vulnerabilityEvidence } from "../../planning/approval/vulnerability_rows.ts";
import { signingEvidence } from "../../planning/approval/signing_rows.ts";
import {
  allowingNext,
  gateEvidence,
  type GateFacts,
  unmetProductionCriteria,
} from "../promote/production_gate.ts";
import type { DecisionContext, DeployRequest, RetryRequest } from "../../domain/requests.ts";
import { isRolloutOpen, type Rollout } from "../../domain/traffic/rollout.ts";
import type { AskedJudgeSettings } from "../../domain/evidence/judgement.ts";
import { settingsOver } from "../../domain/traffic/rollout_plan.ts";
import { rolloutEvidence } from "../../planning/rollout_evidence.ts";
import { setStage, type StageMove } from "../../planning/stage_moves.ts";
import type { RetryFacts } from "./facts.ts";

/**
 * Starts an aborted or rolled back rollout anew: the same version, steps and settings, as a new deployment, from the
 * first step, however long ago that was and whatever has served since. Its version left production when the rollout
 * ended, so it returns through the present gate, by the shadow that let it in while that is young enough, and by an
 * approval of its own.
 */
export function decideRetry(request: RetryRequest, facts: RetryFacts, context: DecisionContext): Decision {
  const { rollout, candidate, version, experiment } = facts;
  if (rollout === null || candidate === null || version === null || experiment === null)
    return noRollout(request);
  const { rollout_reason: reason } = request;
  if (isRolloutOpen(rollout)) return refuseWhileRollingOut(rollout, `retry ${rollout.rollout_id}`, reason);
  if (facts.open_rollout !== null) {
    return refuseWhileRollingOut(facts.open_rollout, `retry ${rollout.rollout_id}`, reason);
  }
  const obstacle = obstacleTo(rollout, candidate, facts, reason);
  if (obstacle !== null) return obstacle;
  if (version.stage !== "archived" && version.stage !== "production") {
    const sentence = `${version.model_version_id} is at ${version.stage}; promote it to production first.`;
    return refuse("conflict", sentence, { next: stepsToNextStage(version, reason) });
  }
  const { policy, shadow, production, vulnerabilities } = facts;
  const gate = { version, experiment, policy, shadow, production, vulnerabilities };
  const unmet = [...unmetProductionCriteria(gate), ...tooOld(gate, context.now)];
  if (unmet.length > 0)
    return refuseReturn(unmet, version, { ...facts, allowing: allowingNext(gate) }, reason);
  const deployment = asDeployment(candidate, rollout, request.judge ?? {});
  const flapping = refuseFlapping(deployment, facts, context);
  if (flapping !== null) return flapping;
  const planned = planDeployment(deployment, facts, version, context);
  if (planned.decision === "refusal") return planned;
  const evidence = {
    ...planned.plan.evidence,
    ...gateEvidence(gate),
    ...loadingEvidence(version, production),
    ...signingEvidence(version, production),
    ...vulnerabilityEvidence(vulnerabilities),
    retried_rollout: rolloutEvidence(rollout),
  };
  const plan = { ...planned.plan, evidence };
  return { decision: "plan", plan: asRetry(plan, rollout, version, request, facts, context) };
}

/** One that completed, or whose version serves, has nothing to begin anew. */
function obstacleTo(
  rollout: Rollout,
  { deployment_id, model_version_id: version }: Deployment,
  { endpoint, deployments }: RetryFacts,
  reason: string,
): Decision | null {
  const { rollout_id: id, status, endpoint_name } = rollout;
  const share = (one: Deployment) => endpoint?.weights[one.deployment_id] ?? 0;
  const serves = deployments.find((one) => one.model_version_id === version && share(one) > 0);
  if (serves !== undefined) {
    return refuse(
      "conflict",
      `${version} serves already, as ${serves.deployment_id}; there is nothing to retry.`,
    );
  }
  if (status !== "completed") return null;
  const back = { deployment_action: "rollback", endpoint_name, rollback_to: deployment_id };
  return refuse(
    "conflict",
    `${id} is completed; there is nothing to retry. ${deployment_id} comes back by name.`,
    {
      next: [ask({ ...back, rollback_reason: reason }, `brings ${deployment_id} back at once`)],
    },
  );
}

/** Shadow evidence that is older than the policy allows counts no more: callers and their requests have changed since. */
function tooOld({ policy, shadow }: GateFacts, now: string): UnmetCriterion[] {
  if (shadow === null) return [];
  const days = (Date.parse(now) - Date.parse(shadow.collected_at)) / 86_400_000;
  const { maximum_shadow_age_days: bound } = policy;
  if (days <= bound) return [];
  const observed = `${days.toFixed(1)} days`;
  const sentence = `Its shadow was seen last ${observed} ago, and may be ${bound} days old; register its run again, and it goes through shadow anew.`;
  return [{ criterion: "shadow_age", required: `at most ${bound} days`, observed, sentence }];
}

function refuseReturn(
  unmet: UnmetCriterion[],
  version: ModelVersion,
  { ended, allowing }: RetryFacts & { allowing: NextStep[] },
  reason: string,
): Decision {
  const why = unmet.map((one) => one.sentence).join(" ");
  const sentence = `${version.model_version_id} may not return to production. ${why}`;
  const others = version.stage === "archived" ? waysOfEnded(version, ended, reason, "retry") : [];
  return refuse("production_criteria_not_met", sentence, { unmet, next: [...allowing, ...others] });
}

function asDeployment(candidate: Deployment, rollout: Rollout, judge: AskedJudgeSettings): DeployRequest {
  const { replicas, cpu_limit, memory_limit, autoscaling, model_version_id } = candidate;
  return {
    action: "deploy",
    model_version_id,
    target_stage: "production",
    replicas,
    cpu_limit,
    memory_limit,
    autoscaling,
    rollout: { steps: rollout.asked_steps ?? rollout.steps, judge: settingsOver(rollout.judge, judge) },
  };
}

/**
 * A rolled back version needs an approval even where the policy asks for none, and as many as a deployment at once
 * where its first step has most of the traffic.
 */
function asRetry(
  plan: Plan,
  rollout: Rollout,
  version: ModelVersion,
  { rollout_reason: reason }: RetryRequest,
  { production, policy, since }: RetryFacts,
  context: DecisionContext,
): Plan {
  const why = `retry of ${rollout.rollout_id}: ${reason}`;
  const moves = returnToProduction(version, production, why);
  const ended = `${rollout.rollout_id} was ${rollout.status === "aborted" ? "aborted" : "rolled back"}`;
  const seen = rollout.verdict === null ? "nothing was judged" : rollout.verdict.reason.replace(/\.$/, "");
  const started = plan.on_success.map((change): Change =>
    change.change === "start_rollout" ? { ...change, reason: why } : change,
  );
  return {
    ...plan,
    summary: `Retry ${rollout.rollout_id}. ${plan.summary}`,
    on_success: [
      ...moves.map((move) =>
        setStage(move, context.requested_by, { retried: rollout.rollout_id, gate_policy: policy }),
      ),
      ...started,
      ...moves.map((move) => projectStage(context.operation_id, move.version.model_version_id)),
    ],
    approvals_needed: Math.max(
      forRequester(rollout.status === "rolled_back" ? 1 : 0, policy, context),
      approvalsNeeded(policy, context, "retry"),
      plan.approvals_needed,
    ),
    names: { ...plan.names, ...namesOf({ versions: [version, production] }) },
    notes: [...plan.notes, `${ended}: ${seen}.`, ...sinceThen(since), ...approvalNotes(policy, "retry")],
  };
}

function returnToProduction(
  version: ModelVersion,
  production: ModelVersion | null,
  reason: string,
): StageMove[] {
  if (version.stage === "production") return [];
  const back: StageMove = { version, to: "production", kind: "promotion", reason };
  if (production === null) return [back];
  const by = `superseded by ${version.model_version_id}`;
  return [{ version: production, to: "archived", kind: "supersession", reason: by }, back];
}

/** A note on what was at production since the rollout ended, for whoever approves its return. */
function sinceThen(since: RetryFacts["since"]): string[] {
  if (since.length === 0) return [];
  const shown = since.map(({ model_version_id, occurred_at }) => `${model_version_id} from ${occurred_at}`);
  return [`At production since then: ${shown.join(", ")}.`];
}
