import { approvalNotes, approvalsNeeded } from "./approvals_needed.ts";
import type { Change } from "./changes.ts";
import { planDeployment, refuseFlapping } from "./decide_deploy.ts";
import { noRollout } from "./rollout_control.ts";
import { refuse, refuseForNow } from "./decisions.ts";
import type { Deployment, Experiment, ModelVersion, ShadowEvidence } from "./entities.ts";
import { projectStage } from "./outbox_entries.ts";
import type { Decision, Plan } from "./plan.ts";
import { namesOf } from "./plan_names.ts";
import type { DeployFacts } from "./planned_traffic.ts";
import { gateEvidence, unmetProductionCriteria } from "./production_gate.ts";
import type { DecisionContext, DeployRequest, RolloutControlRequest } from "./requests.ts";
import { isRolloutOpen, type Rollout } from "./rollout.ts";
import { rolloutEvidence } from "./rollout_evidence.ts";
import { setStage, type StageMove } from "./stage_moves.ts";

export interface RetryFacts extends DeployFacts {
  rollout: Rollout | null;
  /** The endpoint's last rollout. */
  last: Rollout | null;
  /** What the rollout had moved. */
  candidate: Deployment | null;
  experiment: Experiment | null;
  /** The version at production now. */
  production: ModelVersion | null;
  /** The version of the rollout's baseline. */
  baseline_version_id: string | null;
  /** What the shadow had shown when the version was last let through to production. */
  shadow: ShadowEvidence | null;
}

/**
 * Begins a rollout that was aborted or rolled back again: the same version, steps and settings, as a new deployment, from
 * the first step. Its version left production when the rollout ended, so it returns there as it came: by the gate as it
 * is now and by an approval of its own. Whatever moved on since makes it a matter for a promotion instead.
 */
export function decideRetry(
  request: RolloutControlRequest,
  facts: RetryFacts,
  context: DecisionContext,
): Decision {
  const { rollout, candidate, version, experiment } = facts;
  if (rollout === null || candidate === null || version === null || experiment === null)
    return noRollout(request);
  if (isRolloutOpen(rollout)) {
    return refuseForNow(`${rollout.rollout_id} is ${rollout.status}; only one that has ended is retried.`);
  }
  const obstacle = obstacleTo(rollout, version, facts);
  if (obstacle !== null) return refuse("conflict", obstacle);
  const gate = { version, experiment, policy: facts.policy, shadow: facts.shadow };
  const unmet = unmetProductionCriteria(gate);
  if (unmet.length > 0) {
    const why = unmet.map((one) => one.sentence).join(" ");
    const sentence = `${version.model_version_id} may not return to production. ${why}`;
    return refuse("production_criteria_not_met", sentence, unmet);
  }
  const deployment = asDeployment(candidate, rollout);
  const flapping = refuseFlapping(deployment, facts, context);
  if (flapping !== null) return flapping;
  const planned = planDeployment(deployment, facts, version, context);
  if (planned.decision === "refusal") return planned;
  const evidence = { ...gateEvidence(gate), retried_rollout: rolloutEvidence(rollout) };
  const plan = { ...planned.plan, evidence };
  return { decision: "plan", plan: asRetry(plan, rollout, version, request, facts, context) };
}

function obstacleTo(rollout: Rollout, version: ModelVersion, facts: RetryFacts): string | null {
  const { rollout_id: id, status, endpoint_name: name } = rollout;
  if (status === "completed") return `${id} is completed; there is nothing to retry.`;
  if (facts.last?.rollout_id !== id) {
    return `${id} is not the last rollout of ${name}, ${facts.last?.rollout_id} is; promote and deploy ${version.model_version_id} anew.`;
  }
  const production = facts.production?.model_version_id ?? "nothing";
  const stands = [facts.baseline_version_id, version.model_version_id].includes(production);
  if (!stands) {
    return `${production} is at production by now and not ${facts.baseline_version_id}, which ${id} began with; register a new version.`;
  }
  if (version.stage === "archived" || version.stage === "production") return null;
  return `${version.model_version_id} is at ${version.stage}; promote it to production first.`;
}

function asDeployment(candidate: Deployment, rollout: Rollout): DeployRequest {
  const { replicas, cpu_limit, memory_limit, autoscaling, model_version_id } = candidate;
  return {
    action: "deploy",
    model_version_id,
    target_stage: "production",
    replicas,
    cpu_limit,
    memory_limit,
    autoscaling,
    rollout: { steps: rollout.asked_steps ?? rollout.steps, judge: rollout.judge },
  };
}

/**
 * One that was rolled back returns by an approval even where the policy asks for none, and one that gives it most of the
 * traffic at once by as many as that needs.
 */
function asRetry(
  plan: Plan,
  rollout: Rollout,
  version: ModelVersion,
  { rollout_reason: reason }: RolloutControlRequest,
  { production, policy }: RetryFacts,
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
      rollout.status === "rolled_back" ? 1 : 0,
      approvalsNeeded(policy, "retry"),
      plan.approvals_needed,
    ),
    names: { ...plan.names, ...namesOf({ versions: [version, production] }) },
    notes: [...plan.notes, `${ended}: ${seen}.`, ...approvalNotes(policy, "retry")],
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
