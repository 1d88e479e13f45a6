import { isDeepStrictEqual } from "node:util";
import { checkMetrics } from "../../agents/model_deployer/collection/check_metrics.ts";
import type { NewGatePolicy } from "../../agents/model_deployer/domain/models/gate_policy.ts";
import { serving } from "../../agents/model_deployer/domain/traffic/weights.ts";
import { endpointName } from "../../agents/model_deployer/domain/values/names.ts";
import type { TeamMetrics } from "../../agents/model_deployer/ports/evidence/team_metrics_port.ts";
import type { Database } from "../../agents/model_deployer/ports/parts.ts";

/** The limit for asking the server of metrics whether it takes all queries. */
const CHECK_MS = 30_000;

interface Asked {
  database: Pick<Database, "endpoints" | "deployments">;
  /** Null where no server of metrics is configured. */
  teamMetrics: TeamMetrics | null;
}

/**
 * Asks the server of metrics for each query of a policy, filled in with what serves production now. A policy whose
 * metrics stay as they were asks nobody, so that one can be set while that server is away.
 * @throws InvalidRequestError for a query that the server does not take, or where there is none
 */
export async function checkMetricsOf(
  experiment: string,
  before: NewGatePolicy,
  { judge = {} }: NewGatePolicy,
  { database, teamMetrics }: Asked,
): Promise<void> {
  const metrics = judge.metrics ?? {};
  if (isDeepStrictEqual(metrics, before.judge?.metrics ?? {})) return;
  const name = endpointName(experiment, "production");
  const [deployment = ""] = serving((await database.endpoints.get(name))?.weights ?? {});
  const version = deployment === "" ? null : await database.deployments.get(deployment);
  const side = { deployment, endpoint: name, version: version?.model_version_id ?? "" };
  const signal = AbortSignal.timeout(CHECK_MS);
  await checkMetrics(teamMetrics, metrics, side, { signal });
}
