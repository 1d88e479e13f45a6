import { agrees } from "../../agents/model_deployer/judge/evidence/shadow_pairs.ts";
import { NotFoundError } from "../../agents/model_deployer/errors.ts";
import type {
  LoggedPrediction,
  PredictionLogs,
} from "../../agents/model_deployer/ports/evidence/prediction_logs_port.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import type { ShadowPairs, ShownPair } from "./shadow_pair_schemas.ts";
import { unknownEndpoint } from "../problems/unknown_name.ts";

const PATIENCE_MS = 5000;

/**
 * The newest pairs of an endpoint's shadow, out of both logs; nothing of the deployer's own reading of them changes.
 * @throws NotFoundError for an endpoint that is not there or has no shadow, ServiceUnavailableError
 */
export async function shadowPairsReport(
  database: DeployerDatabase,
  logs: PredictionLogs,
  name: string,
  { limit }: { limit: number },
): Promise<ShadowPairs> {
  const endpoint = await database.endpoints.get(name);
  if (endpoint === null) throw await unknownEndpoint(name, database);
  const shadow = endpoint.mirror_deployment_id;
  if (shadow === null) throw new NotFoundError(`${name} has no shadow: nothing is mirrored.`);
  const options = { signal: AbortSignal.timeout(PATIENCE_MS) };
  const serving = Object.keys(endpoint.weights).filter((id) => (endpoint.weights[id] ?? 0) > 0);
  const [compared, mirrored, ...answered] = await Promise.all([
    database.shadowComparisons.read(shadow),
    newest(logs, shadow, options),
    ...serving.map((id) => newest(logs, id, options)),
  ]);
  const byRequest = new Map(mirrored.map((one) => [one.request_id, one]));
  const pairs = answered.flat().flatMap((one) => pairOf(one, byRequest.get(one.request_id)));
  return { endpoint_name: name, shadow_deployment_id: shadow, compared, pairs: pairs.slice(-limit) };
}

async function newest(
  logs: PredictionLogs,
  id: string,
  options: { signal: AbortSignal },
): Promise<LoggedPrediction[]> {
  return (await logs.read(id, null, options)).predictions;
}

function pairOf(production: LoggedPrediction, shadow: LoggedPrediction | undefined): ShownPair[] {
  if (shadow === undefined) return [];
  return [
    {
      request_id: production.request_id,
      answered_at: production.answered_at ?? null,
      shadow: shadow.prediction,
      production: production.prediction,
      shadow_score: shadow.score,
      production_score: production.score,
      agrees: agrees(shadow.prediction, production.prediction),
    },
  ];
}
