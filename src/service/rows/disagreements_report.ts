import { apart, type KeptRow } from "../../agents/model_deployer/domain/evidence/kept_rows.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import { unknownEndpoint } from "../problems/unknown_name.ts";
import { type Disagreements, MOST_ROWS } from "./row_schemas.ts";
import { type RowKeeping, whyNone } from "./unkept_rows.ts";

interface KeptRows extends RowKeeping {
  database: Pick<DeployerDatabase, "endpoints" | "experiments" | "keptRows">;
}

/** Kept requests of an endpoint whose answers differ most between two deployments. @throws NotFoundError */
export async function disagreementsReport(
  parts: KeptRows,
  endpoint_name: string,
  { limit }: { limit: number },
): Promise<Disagreements> {
  const { database } = parts;
  const endpoint = await database.endpoints.get(endpoint_name);
  if (endpoint === null) throw await unknownEndpoint(endpoint_name, database);
  const rows = await database.keptRows.list(endpoint_name, { limit: MOST_ROWS });
  const disagreements = rows
    .flatMap(furthestApart)
    .filter(({ apart: distance }) => distance > 0)
    .sort((a, b) => b.apart - a.apart)
    .slice(0, limit);
  return {
    endpoint_name,
    kept: rows.length,
    why_none: rows.length > 0 ? null : (await whyNone(parts, endpoint.experiment_id)).why,
    compared: rows.filter(({ answers }) => answers.length > 1).length,
    disagreements,
  };
}

/** The two answers of a row that are furthest apart; none where one deployment alone answered it. */
function furthestApart({ request_id, path, input, answers }: KeptRow): Disagreements["disagreements"] {
  const pairs = answers.flatMap((a, index) =>
    answers.slice(index + 1).map((b) => ({ a, b, apart: apart(a, b) })),
  );
  const [first, ...others] = pairs;
  if (first === undefined) return [];
  const most = others.reduce((far, one) => (one.apart > far.apart ? one : far), first);
  return [{ request_id, path, input, apart: most.apart, answers: [most.a, most.b] }];
}
