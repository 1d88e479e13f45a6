import { approvalNotes, approvalsNeeded } from "../../planning/approval/approvals_needed.ts";
import { cutOffMove, refuseWhileCutOff } from "../../planning/ways_out/unfinished_move.ts";
import type { PromoteFacts } from "./facts.ts";
import { planned, propose } from "../../planning/decisions.ts";
import type { Deployment, Endpoint, ModelVersion } from "../../domain/entities.ts";
import { type LiveFigures, missingNotes, type Moment, momentOf } from "../../judge/counts/live_figures.ts";
import { endpointName } from "../../domain/values/names.ts";
import type { Decision, Plan } from "../../domain/plan.ts";
import { namesOf } from "../../planning/wording/plan_names.ts";
import type { DecisionContext, PromoteRequest } from "../../domain/requests.ts";
import { setStatus, switchRoute } from "../../planning/route_switch.ts";
import { announceMoves, promotionAnswer, setStage, type StageMove } from "../../planning/stage_moves.ts";

type ArchiveFacts = PromoteFacts & { version: ModelVersion };

const PROCEDURE = ["check_lifecycle", "approve", "remove_traffic", "set_stage"];

/**
 * Takes a version out of production. Where it serves, its traffic and its endpoint end. Where it was promoted and never
 * deployed, the version before it still has all the traffic, and returns to production.
 */
export function decideArchive(
  request: PromoteRequest,
  facts: ArchiveFacts,
  context: DecisionContext,
): Decision {
  const { version, endpoint } = facts;
  const reason = request.promotion_reason;
  const own = facts.serving.find((one) => one.version.model_version_id === version.model_version_id);
  const moved = endpoint === null ? null : cutOffMove(deploymentsOf(facts), endpoint, facts.open_rollout);
  const other = facts.serving.find((one) => one.version.model_version_id !== version.model_version_id);
  // A deployment that was cut off with all traffic ends with its version; beside others that serve they would lose theirs.
  const isOwnAlone = moved === own?.deployment && moved?.status === "deploying" && other === undefined;
  if (moved !== null && !isOwnAlone) {
    return refuseWhileCutOff(moved, `archive ${version.model_version_id}`, version);
  }
  const restored = own === undefined && other?.version.stage === "archived" ? other.version : null;
  const archival: StageMove = { version, to: "archived", kind: "archival", reason };
  const moves = restored === null ? [archival] : [archival, restoration(restored, version)];
  const removal =
    endpoint === null || own === undefined
      ? nothingServes
      : removeTraffic(endpoint, own.deployment, reason, facts.live);
  const also = restored === null ? "" : `; ${restored.model_version_id} is at production again`;
  return propose({
    summary: `Archive ${version.model_version_id}${also}.`,
    lease_name: endpointName(version.experiment_id, "production"),
    steps: removal.steps,
    on_success: [
      ...moves.map((move) => setStage(move, context.requested_by, removal.evidence)),
      ...removal.on_success,
      ...announceMoves(moves.toReversed(), context, PROCEDURE),
    ],
    draft: promotionAnswer(version, "archived", reason, context, [...facts.notes, ...removal.notes]),
    approvals_needed: approvalsNeeded(facts.policy, context, "archival"),
    generation: endpoint?.generation ?? 0,
    notes: [...facts.notes, ...approvalNotes(facts.policy, "archival")],
    names: namesOf({
      deployments: deploymentsOf(facts),
      versions: [version, restored],
    }),
  });
}

const deploymentsOf = ({ serving }: ArchiveFacts) => serving.map((one) => one.deployment);

function restoration(version: ModelVersion, archived: ModelVersion): StageMove {
  const reason = `still serves; ${archived.model_version_id} was never deployed`;
  return { version, to: "production", kind: "rollback", reason };
}

interface Removal extends Pick<Plan, "steps" | "on_success" | "notes"> {
  evidence: Moment["evidence"];
}
const nothingServes: Removal = { steps: [], on_success: [], notes: [], evidence: {} };

function removeTraffic(
  endpoint: Endpoint,
  deployment: Deployment,
  reason: string,
  live: LiveFigures,
): Removal {
  const { endpoint_name, mirror_deployment_id } = endpoint;
  const id = deployment.deployment_id;
  const moment = momentOf(live, { candidate_id: id, baseline_id: "" }, null);
  const close = mirror_deployment_id === null ? [planned({ step: "close_endpoint", endpoint_name })] : [];
  const route = { endpoint_name, before: endpoint, weights: {}, mirror_deployment_id, reason, moment };
  return {
    steps: [...switchRoute(route), ...close],
    on_success: [setStatus(id, ["active", "deploying"], "draining", { keepWarmSeconds: 0 })],
    notes: missingNotes(live),
    evidence: moment.evidence,
  };
}
