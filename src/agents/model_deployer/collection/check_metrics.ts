import { AgentError } from "../../base/agent_error.ts";
import { filledQuery, type MetricSettings, type QueriedSide } from "../domain/evidence/team_metrics.ts";
import { InvalidRequestError } from "../errors.ts";
import type { CallOptions } from "../ports/call_options.ts";
import type { TeamMetrics } from "../ports/evidence/team_metrics_port.ts";

/**
 * Asks the server of metrics whether it takes the queries, filled in with what serves now, so that a wrong one is known
 * before a rollout depends on it.
 * @throws InvalidRequestError that names the metric | ServiceUnavailableError | ServiceRefusedError
 */
export async function checkMetrics(
  source: TeamMetrics | null,
  metrics: Readonly<Record<string, MetricSettings>>,
  side: QueriedSide,
  options: CallOptions,
): Promise<void> {
  const [first] = Object.keys(metrics);
  if (first === undefined) return;
  if (source === null) {
    throw new InvalidRequestError(
      `The metric ${first} cannot be asked for: set MODEL_DEPLOYER_PROMETHEUS_URL to the server that has it.`,
    );
  }
  for (const [name, { query, of, every_seconds }] of Object.entries(metrics)) {
    for (const one of of === null ? [query] : [query, of]) {
      await source.check(filledQuery(one, side, every_seconds), options).catch((error: unknown) => {
        if (!(error instanceof InvalidRequestError)) throw error;
        throw new InvalidRequestError(`The metric ${name}: ${error.message}`, { cause: error });
      });
    }
  }
}

/** A sentence about queries that are wrong; null where they are right, or nobody can say now. */
export async function metricsProblem(...asked: Parameters<typeof checkMetrics>): Promise<string | null> {
  try {
    await checkMetrics(...asked);
    return null;
  } catch (error) {
    if (error instanceof InvalidRequestError) return error.message;
    if (error instanceof AgentError) return null;
    throw error;
  }
}
