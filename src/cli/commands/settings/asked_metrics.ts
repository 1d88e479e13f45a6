import { checkMetrics } from "../../../agents/model_deployer/collection/check_metrics.ts";
import type { NewGatePolicy } from "../../../agents/model_deployer/domain/models/gate_policy.ts";
import { serving } from "../../../agents/model_deployer/domain/traffic/weights.ts";
import { endpointName } from "../../../agents/model_deployer/domain/values/names.ts";
import type { Observer } from "../../../wiring/observer.ts";

/** The limit for asking the server of metrics whether it takes all queries. */
const CHECK_MS = 30_000;

/** Asks with what serves production now. @throws InvalidRequestError for a query that the server does not take */
export async function checkMetricsOf(
  experiment: string,
  { judge = {} }: NewGatePolicy,
  { database, teamMetrics }: Pick<Observer, "database" | "teamMetrics">,
): Promise<void> {
  const name = endpointName(experiment, "production");
  const [deployment = ""] = serving((await database.endpoints.get(name))?.weights ?? {});
  const version = deployment === "" ? null : await database.deployments.get(deployment);
  const side = { deployment, endpoint: name, version: version?.model_version_id ?? "" };
  const signal = AbortSignal.timeout(CHECK_MS);
  await checkMetrics(teamMetrics, judge.metrics ?? {}, side, { signal });
}
