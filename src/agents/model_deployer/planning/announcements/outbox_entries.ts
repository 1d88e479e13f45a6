import type { ChangeOf } from "../../domain/changes.ts";
import type { Episode } from "../../domain/episode.ts";

/** Asks the registry to follow a version's stage, which is read when the entry is delivered, never before. */
export function projectStage(operationId: string, modelVersionId: string): ChangeOf<"enqueue"> {
  return {
    change: "enqueue",
    topic: "registry_projection",
    dedupe_key: `${operationId}:registry:${modelVersionId}`,
    payload: { model_version_id: modelVersionId },
  };
}

export type EpisodeParts = Pick<
  Episode,
  "event_subtype" | "description" | "experiment_id" | "endpoint_name" | "occurred_at"
> & {
  outcome_type: "success" | "failure" | "pending" | "escalated";
  raw_content: ChangeOf<"enqueue">["payload"];
};

export function remember(operationId: string, parts: EpisodeParts): ChangeOf<"enqueue"> {
  return {
    change: "enqueue",
    topic: "episodic_memory",
    dedupe_key: `${operationId}:episode:${parts.event_subtype}`,
    payload: {
      ...parts,
      event_type: "agent_action",
      outcome_details: {},
      dedupe_key: `${operationId}:${parts.event_subtype}`,
    },
  };
}

/** Counts one use of a procedure, so that later plans can learn from it. */
export function recordProcedure(
  operationId: string,
  parts: {
    name: string;
    type: "tool_sequence" | "error_recovery";
    trigger: string;
    sequence: string[];
    succeeded: boolean;
  },
): ChangeOf<"enqueue"> {
  return {
    change: "enqueue",
    topic: "procedural_memory",
    dedupe_key: `${operationId}:procedure:${parts.name}`,
    payload: {
      procedure: {
        procedure_name: parts.name,
        procedure_type: parts.type,
        tool_sequence: parts.sequence.map((tool) => ({ tool })),
        trigger_pattern: parts.trigger,
      },
      use: { dedupe_key: operationId, succeeded: parts.succeeded },
    },
  };
}
