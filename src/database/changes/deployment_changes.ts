import { z } from "zod";
import type { ChangeOf } from "../../agents/model_deployer/domain/changes.ts";
import {
  deploymentStatusSchema,
  type DeploymentStatus,
  type Resources,
  STOPPABLE_STATUSES,
} from "../../agents/model_deployer/domain/entities.ts";
import { ConflictError, NotFoundError } from "../../agents/model_deployer/errors.ts";
import { anyRow, type Queries } from "../connection/transaction.ts";
import { idRow, json } from "../rows.ts";

/** The deployment gets the endpoint's URL where the endpoint is open already. */
export async function insertDeployment(
  tx: Queries,
  { deployment }: ChangeOf<"insert_deployment">,
): Promise<void> {
  const row = { ...deployment, autoscaling: json(deployment.autoscaling) };
  const columns = Object.keys(row);
  await tx.query(
    anyRow,
    `insert into ml_deployments (${columns.join(", ")})
     values (${columns.map((_, index) => `$${index + 1}`).join(", ")})`,
    Object.values(row),
  );
  await tx.query(
    anyRow,
    `update ml_deployments d set endpoint_url = e.endpoint_url from ml_endpoints e
     where d.deployment_id = $1 and d.endpoint_url is null and e.endpoint_name = d.endpoint_name`,
    [deployment.deployment_id],
  );
}

/**
 * The first `active` sets `activated_at`; each return to `active` cancels the stopping of its server. A shadow that
 * becomes active again starts its hours anew. The first `rolled_back` sets `rolled_back_at`.
 * @throws ConflictError when the status has moved, or for `active` while its server is being stopped
 */
export async function setDeploymentStatus(
  tx: Queries,
  change: ChangeOf<"set_deployment_status">,
): Promise<void> {
  const changed = await tx.query(
    idRow,
    `update ml_deployments set
       status = $3::deployment_status_enum,
       rollback_reason = coalesce($4, rollback_reason),
       activated_at = case
         when $3 = 'active' and status <> 'active' and (activated_at is null or target_stage = 'shadow')
           then clock_timestamp()
         else activated_at end,
       rolled_back_at = case when $3 = 'rolled_back' and status <> 'rolled_back' then clock_timestamp() else rolled_back_at end,
       drain_due_at = case
         when $3 = 'active' then null
         when $5::float8 is not null then clock_timestamp() + make_interval(secs => $5::float8)
         else drain_due_at end,
       drained_at = case when $3 = 'active' then null else drained_at end
     where deployment_id = $1 and status = any ($2::deployment_status_enum[])
       and ($3 <> 'active' or stopping_until is null or stopping_until <= clock_timestamp())
     returning deployment_id as id`,
    [change.deployment_id, change.from, change.to, change.rollback_reason, change.keep_warm_seconds],
  );
  if (changed.length > 0) return;
  const found = await statusOf(tx, change.deployment_id);
  const mayHaveEnded = change.unless_ended ?? change.unless_rolled_back ?? false;
  if (mayHaveEnded && found !== null && STOPPABLE_STATUSES.includes(found.status)) return;
  throw lostStatus(change.deployment_id, found, change.from);
}

/** @throws ConflictError where somebody has set others since */
export async function setResources(tx: Queries, change: ChangeOf<"set_resources">): Promise<void> {
  const { deployment_id: id, expected, resources } = change;
  const changed = await tx.query(
    idRow,
    `update ml_deployments set replicas = $2, cpu_limit = $3, memory_limit = $4, autoscaling = $5
     where deployment_id = $1 and (replicas, cpu_limit, memory_limit, autoscaling)
       = ($6::integer, $7::text, $8::text, $9::jsonb)
     returning deployment_id as id`,
    [id, ...valuesOf(resources), ...valuesOf(expected)],
  );
  if (changed.length > 0) return;
  if ((await statusOf(tx, id)) === null) throw new NotFoundError(`Deployment ${id} does not exist`);
  throw new ConflictError(`Somebody has changed the resources of ${id} meanwhile`, {
    details: { deployment_id: id, expected },
  });
}

const valuesOf = ({ replicas, cpu_limit, memory_limit, autoscaling }: Resources) => [
  replicas,
  cpu_limit,
  memory_limit,
  json(autoscaling),
];

/** Only the first call sets the time. @throws NotFoundError */
export async function dateDeployment(tx: Queries, change: ChangeOf<"date_deployment">): Promise<void> {
  const dated = await tx.query(
    idRow,
    `update ml_deployments set
       deployed_at = case when deployment_duration_seconds is null then $2 else deployed_at end,
       deployment_duration_seconds = coalesce(deployment_duration_seconds, $3)
     where deployment_id = $1 returning deployment_id as id`,
    [change.deployment_id, change.deployed_at, change.deployment_duration_seconds],
  );
  if (dated.length === 0) throw new NotFoundError(`Deployment ${change.deployment_id} does not exist`);
}

/** Idempotent: only the first call sets the time. */
export async function markDrained(tx: Queries, change: ChangeOf<"mark_drained">): Promise<void> {
  const changed = await tx.query(
    idRow,
    `update ml_deployments set drained_at = coalesce(drained_at, clock_timestamp()), stopping_until = null
     where deployment_id = $1 and status = any ($2::deployment_status_enum[])
     returning deployment_id as id`,
    [change.deployment_id, STOPPABLE_STATUSES],
  );
  if (changed.length > 0) return;
  throw lostStatus(change.deployment_id, await statusOf(tx, change.deployment_id), STOPPABLE_STATUSES);
}

/** @throws ConflictError while its server is being stopped, or when that has happened since */
export async function callOffDrain(tx: Queries, change: ChangeOf<"call_off_drain">): Promise<void> {
  const { deployment_id: id, was_drained } = change;
  const changed = await tx.query(
    idRow,
    `update ml_deployments set drain_due_at = null
     where deployment_id = $1 and (drained_at is not null) = $2
       and (stopping_until is null or stopping_until <= clock_timestamp())
     returning deployment_id as id`,
    [id, was_drained],
  );
  if (changed.length > 0) return;
  const found = await statusOf(tx, id);
  if (found === null) throw new NotFoundError(`Deployment ${id} does not exist`);
  throw found.stopping ? isStopping(id) : new ConflictError(`The server of ${id} has been stopped since`);
}

/** Idempotent, and nothing where it serves. */
export async function resumeDrain(tx: Queries, change: ChangeOf<"resume_drain">): Promise<void> {
  await tx.query(
    anyRow,
    `update ml_deployments set drain_due_at = $2
     where deployment_id = $1 and drained_at is null and drain_due_at is null
       and status = any ($3::deployment_status_enum[])`,
    [change.deployment_id, change.due_at, STOPPABLE_STATUSES],
  );
}

/**
 * Call it in the transaction that writes the endpoint's row: whoever claims a server in order to stop it locks that row
 * first, so either the claim is seen here or the new route is seen there.
 * @throws ConflictError when a server that the endpoint's route names is being stopped
 */
export async function requireNoneIsStopping(tx: Queries, endpointName: string): Promise<void> {
  const stopping = await tx.query(
    idRow,
    `select d.deployment_id as id from ml_deployments d join ml_endpoints e using (endpoint_name)
     where e.endpoint_name = $1 and d.stopping_until > clock_timestamp() and ${isRoutedSql("d", "e")}`,
    [endpointName],
  );
  if (stopping.length > 0) throw isStopping(stopping.map(({ id }) => id).join(", "));
}

/** SQL for whether the endpoint's route gives the deployment traffic, mirrored or not. */
export function isRoutedSql(deployment: string, endpoint: string): string {
  return `(coalesce((${endpoint}.weights ->> ${deployment}.deployment_id)::numeric, 0) > 0
    or ${endpoint}.mirror_deployment_id is not distinct from ${deployment}.deployment_id)`;
}

function isStopping(id: string): ConflictError {
  return new ConflictError(
    `The server of ${id} is being stopped; ask again in a moment, and it is started anew`,
    {
      details: { deployment_id: id },
    },
  );
}

const statusRow = z.strictObject({ status: deploymentStatusSchema, stopping: z.boolean() });

type Status = z.infer<typeof statusRow>;

async function statusOf(tx: Queries, id: string): Promise<Status | null> {
  const [row] = await tx.query(
    statusRow,
    `select status, coalesce(stopping_until > clock_timestamp(), false) as stopping
     from ml_deployments where deployment_id = $1`,
    [id],
  );
  return row ?? null;
}

function lostStatus(
  id: string,
  status: Status | null,
  expected: readonly DeploymentStatus[],
): ConflictError | NotFoundError {
  if (status === null) return new NotFoundError(`Deployment ${id} does not exist`);
  const { stopping, ...found } = status;
  if (stopping && expected.includes(found.status)) return isStopping(id);
  return new ConflictError(
    `Deployment ${id} was expected to be ${expected.join(" or ")} and is ${found.status}`,
    {
      details: { deployment_id: id, expected: { status: expected }, found },
    },
  );
}
