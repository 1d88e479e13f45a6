import { heldUntil, recentRollbacks } from "./caution.ts";
import type { DeployFacts } from "./facts.ts";
import type { ModelVersion } from "../../domain/entities.ts";
import { allowedFormats, refusedFormats } from "../../domain/models/allowed_formats.ts";
import { refusedEnvironment } from "../../domain/models/known_vulnerabilities.ts";
import { allowedSigners, refusedSigners } from "../../domain/models/signers.ts";
import type { Decision } from "../../domain/plan.ts";
import type { DecisionContext, DeployRequest } from "../../domain/requests.ts";
import { planRollout, refuseJudgeSettings } from "../../domain/traffic/rollout_plan.ts";
import { count } from "../../planning/wording/count.ts";
import { refuse, refuseForNow } from "../../planning/decisions.ts";
import { ask } from "../../planning/ways_out/next_steps.ts";
import { stepsTowardsStage } from "../../planning/ways_out/stage_steps.ts";
import { cutOffMove, refuseWhileCutOff } from "../../planning/ways_out/unfinished_move.ts";
import { waysOfEnded } from "../rollback/ended_version.ts";

/** The version is not at the stage that it is to be served at. */
export function refuseStage(
  { target_stage }: DeployRequest,
  version: ModelVersion,
  facts: DeployFacts,
): Decision {
  const { model_version_id: id, stage } = version;
  const why = `to serve ${id} at ${target_stage}`;
  const isEnded = stage === "archived";
  const wayOut = isEnded ? "that is its end" : `promote it to ${target_stage} first`;
  return refuse(
    "stage_mismatch",
    `${id} is at ${stage} and cannot be served at ${target_stage}; ${wayOut}.`,
    {
      next: isEnded ? waysOfEnded(version, facts.ended, why) : stepsTowardsStage(version, target_stage, why),
    },
  );
}

/**
 * Refuses a rollout on an endpoint that goes to and fro; a deployment at once, which needs an approval, is let through.
 */
export function refuseFlapping(
  { target_stage, rollout, model_version_id }: DeployRequest,
  { deployments, aborted, endpoint, version }: DeployFacts,
  { now }: DecisionContext,
): Decision | null {
  const isAtOnce = planRollout(rollout).steps[0]?.weight === 100;
  if (target_stage !== "production" || isAtOnce) return null;
  const recent = recentRollbacks(deployments, now, aborted);
  const until = heldUntil(recent, now);
  if (until === null) return null;
  const stage = version?.stage;
  const asked = { deployment_action: "deploy", model_version_id, target_stage, rollout: "immediate" };
  return refuseForNow(
    `${endpoint?.endpoint_name ?? "The endpoint"} was rolled back ${count(recent.length, "time")} within an hour, last from ${recent[0]?.bento_tag}; ` +
      `it takes the next rollout at ${until}, or one that goes out at once with an approval.`,
    {
      next: stage === "production" ? [ask(asked, "puts it out at once, with an approval")] : [],
      not_before: until,
    },
  );
}

/** A rollout beside a version that does not count as serving yet could never end, and a shadow changes the route, too. */
export function refuseDuringCutOffMove(
  { target_stage, model_version_id }: DeployRequest,
  { deployments, endpoint, open_rollout, version }: DeployFacts,
): Decision | null {
  if (target_stage === "staging" || endpoint === null) return null;
  const moved = cutOffMove(deployments, endpoint, open_rollout);
  return moved === null ? null : refuseWhileCutOff(moved, `deploy ${model_version_id}`, version);
}

/** The version was registered before the policy named its formats; what serves already goes on, and comes back. */
export function refuseFormats(
  version: ModelVersion,
  { policy }: Pick<DeployFacts, "policy">,
): Decision | null {
  const allowed = allowedFormats(version.experiment_id, policy);
  if (allowed === undefined || version.loading === null) return null;
  const found = refusedFormats(version.loading, allowed, version.model_version_id);
  return found === null ? null : refuse("artifact_rejected", found.sentence, { next: found.next });
}

/** The policy no longer names whoever signed the version; what serves already goes on, and comes back. */
export function refuseSigners(
  version: ModelVersion,
  { policy }: Pick<DeployFacts, "policy">,
): Decision | null {
  const allowed = allowedSigners(version.experiment_id, policy);
  if (allowed === undefined || version.signed_by === null) return null;
  const found = refusedSigners(version.signed_by, allowed, version.model_version_id);
  return found === null ? null : refuse("artifact_rejected", found.sentence, { next: found.next });
}

/** The version's packages have known vulnerabilities that the policy refuses; what serves already goes on, and comes back. */
export function refuseVulnerabilities(
  { experiment_id, model_version_id }: ModelVersion,
  { policy, vulnerabilities }: Pick<DeployFacts, "policy" | "vulnerabilities">,
): Decision | null {
  const asked = { experiment_id, policy: policy.vulnerabilities };
  const found = refusedEnvironment(vulnerabilities, asked, model_version_id);
  return found === null ? null : refuse("artifact_rejected", found.sentence, { next: found.next });
}

/** The judge's settings, of the request and the experiment's policy together, contradict each other or cannot be asked for. */
export function refuseSettings(
  { target_stage, rollout }: DeployRequest,
  { policy, metrics_problem }: DeployFacts,
): Decision | null {
  if (target_stage !== "production") return null;
  const refusal = refuseJudgeSettings(planRollout(rollout, policy.judge).judge) ?? metrics_problem;
  return refusal === null ? null : refuse("invalid_request", refusal);
}
