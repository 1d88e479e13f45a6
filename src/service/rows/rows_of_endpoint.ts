import type { NextStep } from "../../agents/base/next_step.ts";
import type { ModelVersion } from "../../agents/model_deployer/domain/entities.ts";
import { serving } from "../../agents/model_deployer/domain/traffic/weights.ts";
import { InvalidRequestError, NotFoundError } from "../../agents/model_deployer/errors.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import { unknownEndpoint } from "../problems/unknown_name.ts";
import type { SentRow } from "./row_schemas.ts";
import { type RowKeeping, whyNone } from "./unkept_rows.ts";

interface KeptRows extends RowKeeping {
  database: Pick<DeployerDatabase, "endpoints" | "experiments" | "keptRows">;
}

/**
 * The newest rows that an endpoint of the version's experiment has kept, and what serves there, the largest share first.
 * Another experiment's callers have not sent theirs for this model, and its baseline says nothing of it.
 * @throws NotFoundError | InvalidRequestError
 */
export async function rowsOfEndpoint(
  parts: KeptRows,
  { model_version_id, experiment_id }: ModelVersion,
  { name, limit }: { name: string; limit: number },
): Promise<{ rows: SentRow[]; servers: string[] }> {
  const { endpoints, keptRows } = parts.database;
  const endpoint = await endpoints.get(name);
  if (endpoint === null) throw await unknownEndpoint(name, parts.database);
  if (endpoint.experiment_id !== experiment_id) {
    const own = (await endpoints.list()).filter((one) => one.experiment_id === experiment_id);
    throw new InvalidRequestError(
      `${name} is an endpoint of ${endpoint.experiment_id}, and ${model_version_id} a version of ${experiment_id}: kept rows go to versions of their own experiment alone. Name an endpoint of ${experiment_id}, or a file of rows.`,
      { next: own.map((one) => replayOf(model_version_id, one.endpoint_name)) },
    );
  }
  const rows = await keptRows.list(name, { limit });
  if (rows.length > 0) return { rows, servers: serving(endpoint.weights) };
  const { why, next } = await whyNone(parts, experiment_id);
  throw new NotFoundError(`${name} has no kept rows: ${why}.`, { next });
}

const replayOf = (version: string, endpoint: string): NextStep => ({
  action: "replay",
  request: null,
  command: `model-deployer replay ${version} --from ${endpoint}`,
  who: "caller",
  why: `sends what ${endpoint} has kept, which are rows of the same experiment`,
});
