import { randomBytes, randomUUID } from "node:crypto";
import type { Episode } from "../../../agents/model_deployer/domain/episode.ts";
import type { Procedure } from "../../../agents/model_deployer/ports/memory_ports.ts";

/** Names are random, so that runs against one service that lasts do not see each other. */
export function uniqueName(prefix: string): string {
  return `${prefix}_${randomUUID().replaceAll("-", "")}`;
}

/** All that `newSessionId` gave out in this worker, for whoever cleans up. */
export const givenSessionIds: string[] = [];

export function newSessionId(): string {
  const sessionId = `sess_${randomBytes(8).toString("hex")}`;
  givenSessionIds.push(sessionId);
  return sessionId;
}

export function callOptions(): { signal: AbortSignal } {
  return { signal: AbortSignal.timeout(10_000) };
}

export function exampleEpisode(changes: Partial<Episode> = {}): Episode {
  return {
    dedupe_key: uniqueName("episode"),
    event_type: "agent_action",
    event_subtype: "deployment",
    description: "Deployed version 2 to staging",
    raw_content: { deployment_id: "dep_1", weights: { dep_1: 100 }, steps: [{ step: "start_server" }, null] },
    experiment_id: null,
    endpoint_name: null,
    outcome_type: "success",
    outcome_details: {},
    occurred_at: "2026-11-01T10:00:00.000Z",
    ...changes,
  };
}

export function exampleProcedure(changes: Partial<Procedure> = {}): Procedure {
  return {
    procedure_name: "gradual_rollout",
    procedure_type: "tool_sequence",
    tool_sequence: [{ step: "start_server" }, { step: "switch_traffic", weights: [90, 10] }],
    trigger_pattern: uniqueName("trigger"),
    ...changes,
  };
}
