import { AgentError } from "../../../base/agent_error.ts";
import type { Rollout } from "../../domain/traffic/rollout.ts";
import { sidesOf } from "../../judge/counts/live_figures.ts";
import type { ReadLog } from "../../judge/evidence/prediction_evidence.ts";
import type { CallOptions } from "../../ports/call_options.ts";
import type { PredictionLogs } from "../../ports/evidence/prediction_logs_port.ts";
import type { AdvanceFacts } from "./facts.ts";

/** Both sides' logged predictions since the last look, where the rollout compares predictions. */
export async function gatherPredictions(
  logs: PredictionLogs,
  rollout: Rollout,
  options: CallOptions,
): Promise<Pick<AdvanceFacts, "predictions" | "predictions_missing">> {
  if (rollout.judge.predictions === null) return { predictions: null, predictions_missing: null };
  const positions = rollout.judge_state.predictions?.positions ?? {};
  const read = async (deployment_id: string): Promise<ReadLog> => {
    return { deployment_id, ...(await logs.read(deployment_id, positions[deployment_id] ?? null, options)) };
  };
  const { candidate_id, baseline_id } = sidesOf(rollout);
  try {
    const [candidate, baseline] = await Promise.all([read(candidate_id), read(baseline_id)]);
    return { predictions: { candidate, baseline }, predictions_missing: null };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { predictions: null, predictions_missing: error.message };
  }
}
