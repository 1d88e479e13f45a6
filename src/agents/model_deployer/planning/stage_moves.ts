import { z } from "zod";
import { type Answer, versionAnswer } from "../domain/answer.ts";
import type { Change, ChangeOf } from "../domain/changes.ts";
import type { ModelVersion, Stage } from "../domain/entities.ts";
import { projectStage, recordProcedure, remember } from "./announcements/outbox_entries.ts";
import type { DecisionContext } from "../domain/requests.ts";

export interface StageMove {
  version: ModelVersion;
  to: Stage;
  kind: ChangeOf<"set_stage">["kind"];
  reason: string;
}

const evidenceSchema = z.record(z.string(), z.json());

/** The evidence that decided the move is kept with the history row. */
export function setStage(
  move: StageMove,
  changedBy: string,
  evidence: Record<string, unknown> = {},
): ChangeOf<"set_stage"> {
  return {
    change: "set_stage",
    model_version_id: move.version.model_version_id,
    from: move.version.stage,
    to: move.to,
    expected_revision: move.version.stage_revision,
    kind: move.kind,
    reason: move.reason,
    changed_by: changedBy,
    metrics: move.version.metrics,
    evidence: evidenceSchema.parse(evidence),
  };
}

/** The answer of a move between stages. */
export function promotionAnswer(
  version: ModelVersion,
  target: Stage,
  reason: string,
  context: DecisionContext,
  notes: string[],
): Answer {
  const { requested_by: promoted_by, now: promoted_at } = context;
  const move = { current_stage: target, promoted_by, promoted_at, promotion_reason: reason };
  return versionAnswer(version, move, notes);
}

/** Outbox entries of a promotion: the registry's aliases, and both memories. The last move is the requested one. */
export function announceMoves(moves: StageMove[], context: DecisionContext, procedure: string[]): Change[] {
  const announced = moves.map((move) => projectStage(context.operation_id, move.version.model_version_id));
  const asked = moves.at(-1);
  if (asked === undefined) return announced;
  const { version, to } = asked;
  return [
    ...announced,
    remember(context.operation_id, {
      event_subtype: "promotion",
      description: `Promoted ${version.model_name} version ${version.version} from ${version.stage} to ${to}`,
      experiment_id: version.experiment_id,
      endpoint_name: null,
      outcome_type: "success",
      raw_content: {
        model_version_id: version.model_version_id,
        from_stage: version.stage,
        to_stage: to,
        metrics: version.metrics,
      },
      occurred_at: context.now,
    }),
    recordProcedure(context.operation_id, {
      name: `promote_${version.stage}_to_${to}`,
      type: "tool_sequence",
      trigger: `promotion:${version.model_name}`,
      sequence: procedure,
      succeeded: true,
    }),
  ];
}
