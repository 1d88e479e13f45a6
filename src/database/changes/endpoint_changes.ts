import { z } from "zod";
import type { ChangeOf } from "../../agents/model_deployer/domain/changes.ts";
import { ConflictError, NotFoundError } from "../../agents/model_deployer/errors.ts";
import { anyRow, type Queries, type Transaction } from "../connection/transaction.ts";
import { json } from "../rows.ts";
import type { ChangeContext } from "./context.ts";
import { requireNoneIsStopping } from "./deployment_changes.ts";

const openedRow = z.strictObject({ experiment_id: z.string(), endpoint_url: z.string() });

/** Idempotent for the same content; deployments of the endpoint that wait for its URL get it. */
export async function openEndpoint(tx: Queries, change: ChangeOf<"open_endpoint">): Promise<void> {
  const { endpoint_name: name, experiment_id, endpoint_url, engine = null } = change;
  await tx.query(
    anyRow,
    `insert into ml_endpoints (endpoint_name, experiment_id, endpoint_url, engine) values ($1, $2, $3, $4)
     on conflict (endpoint_name) do nothing`,
    [name, experiment_id, endpoint_url, engine],
  );
  const [found] = await tx.query(
    openedRow,
    "select experiment_id, endpoint_url from ml_endpoints where endpoint_name = $1",
    [name],
  );
  const expected = { experiment_id, endpoint_url };
  if (found?.experiment_id !== experiment_id || found.endpoint_url !== endpoint_url) {
    throw new ConflictError(
      `Endpoint ${name} is open for ${found?.experiment_id} at ${found?.endpoint_url}; it keeps both for its life`,
      { retryable: false, details: { endpoint_name: name, expected, found } },
    );
  }
  await tx.query(
    anyRow,
    "update ml_deployments set endpoint_url = $2 where endpoint_name = $1 and endpoint_url is null",
    [name, endpoint_url],
  );
}

const generationRow = z.strictObject({ generation: z.int(), observed_generation: z.int() });

/**
 * A trigger updates `traffic_percentage` of the endpoint's deployments in this same transaction.
 * @throws ConflictError when the endpoint has moved on, or a server of the route is being stopped
 */
export async function wantRoute(
  tx: Transaction,
  change: ChangeOf<"want_route">,
  context: ChangeContext,
): Promise<void> {
  await tx.together(
    () => setWanted(tx, change, context),
    () => requireNoneIsStopping(tx, change.endpoint_name),
  );
}

async function setWanted(tx: Queries, change: ChangeOf<"want_route">, context: ChangeContext): Promise<void> {
  const won = await tx.query(
    generationRow,
    `update ml_endpoints set generation = generation + 1, weights = $3, mirror_deployment_id = $4,
       wanted_at = clock_timestamp(), wanted_by = $5, wanted_reason = $6, wanted_operation_id = $7,
       wanted_metrics = $8, wanted_evidence = $9
     where endpoint_name = $1 and generation = $2
     returning generation, observed_generation`,
    [
      change.endpoint_name,
      change.expected_generation,
      json(change.weights),
      change.mirror_deployment_id,
      context.requested_by,
      change.reason,
      context.operation_id,
      json(change.metrics ?? {}),
      json(change.evidence ?? {}),
    ],
  );
  if (won.length === 0) throw await lostGeneration(tx, change.endpoint_name, change.expected_generation);
}

/**
 * Writes the traffic's history, with the figures that decided the route and the metrics of the versions that it names.
 * A generation that was observed before changes nothing.
 */
export async function observeRoute(tx: Transaction, change: ChangeOf<"observe_route">): Promise<void> {
  await tx.together(
    () => requireGeneration(tx, change),
    () => setObserved(tx, change),
  );
}

async function requireGeneration(
  tx: Queries,
  { endpoint_name: name, generation }: ChangeOf<"observe_route">,
): Promise<void> {
  const [endpoint] = await tx.query(
    generationRow,
    "select generation, observed_generation from ml_endpoints where endpoint_name = $1 for update",
    [name],
  );
  if (endpoint?.generation !== generation) throw await lostGeneration(tx, name, generation);
}

async function setObserved(
  tx: Queries,
  { endpoint_name: name, generation }: ChangeOf<"observe_route">,
): Promise<void> {
  await tx.query(
    anyRow,
    `with observed as (
       update ml_endpoints set observed_generation = generation, observed_at = clock_timestamp()
       where endpoint_name = $1 and generation = $2 and observed_generation <> generation returning *
     )
     insert into ml_traffic_history (
       experiment_id, endpoint_name, generation, deployment_weights, version_weights, mirror_deployment_id, wanted_at,
       changed_by, reason, operation_id, metrics, evidence
     ) select experiment_id, endpoint_name, generation, weights, (
         select coalesce(jsonb_object_agg(model_version_id, weight), '{}') from (
           select d.model_version_id, sum(w.value::numeric) as weight
           from jsonb_each_text(weights) as w join ml_deployments d on d.deployment_id = w.key
           group by d.model_version_id
         ) as by_version
       ), mirror_deployment_id, wanted_at, wanted_by, wanted_reason, wanted_operation_id, wanted_metrics,
       wanted_evidence || jsonb_build_object('model_metrics', (
         select coalesce(jsonb_object_agg(v.model_version_id, v.metrics), '{}') from ml_model_registry v
         where v.model_version_id in (
           select d.model_version_id from ml_deployments d
           where weights ? d.deployment_id or d.deployment_id = mirror_deployment_id
         )
       ))
       from observed`,
    [name, generation],
  );
}

async function lostGeneration(
  tx: Queries,
  name: string,
  expected: number,
): Promise<ConflictError | NotFoundError> {
  const [found] = await tx.query(
    generationRow,
    "select generation, observed_generation from ml_endpoints where endpoint_name = $1",
    [name],
  );
  if (found === undefined) return new NotFoundError(`Endpoint ${name} does not exist; it is not open yet`);
  return new ConflictError(
    `Endpoint ${name} was expected at generation ${expected} and is at ${found.generation}; read it and ask again`,
    { details: { endpoint_name: name, expected: { generation: expected }, found } },
  );
}
