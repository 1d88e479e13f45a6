import { z } from "zod";
import type { ChangeOf } from "../../agents/model_deployer/domain/changes.ts";
import {
  deploymentStatusSchema,
  type DeploymentStatus,
} from "../../agents/model_deployer/domain/entities.ts";
import { ConflictError, NotFoundError } from "../../agents/model_deployer/errors.ts";
import { anyRow, type Queries } from "../pool.ts";
import { idRow, json } from "../rows.ts";

/** Takes the endpoint's URL where the endpoint is open already. */
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
 * The first `active` sets `activated_at` and the duration since `deployed_at`; each return to `active` takes back
 * that the server was to be stopped. A shadow that becomes active again begins its hours anew. `rolled_back` sets
 * `rolled_back_at`.
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
       deployment_duration_seconds = case
         when $3 = 'active' and activated_at is null then extract(epoch from clock_timestamp() - deployed_at)
         else deployment_duration_seconds end,
       rolled_back_at = case when $3 = 'rolled_back' then clock_timestamp() else rolled_back_at end,
       drain_due_at = case
         when $3 = 'active' then null
         when $5::float8 is not null then clock_timestamp() + make_interval(secs => $5::float8)
         else drain_due_at end,
       drained_at = case when $3 = 'active' then null else drained_at end
     where deployment_id = $1 and status = any ($2::deployment_status_enum[])
     returning deployment_id as id`,
    [change.deployment_id, change.from, change.to, change.rollback_reason, change.keep_warm_seconds],
  );
  if (changed.length === 0) throw await lostStatus(tx, change.deployment_id, change.from);
}

/** States that a deployment's server is stopped in. */
const STOPPABLE: DeploymentStatus[] = ["draining", "rolled_back", "failed"];

/** Idempotent: the first time counts. */
export async function markDrained(tx: Queries, change: ChangeOf<"mark_drained">): Promise<void> {
  const changed = await tx.query(
    idRow,
    `update ml_deployments set drained_at = coalesce(drained_at, clock_timestamp())
     where deployment_id = $1 and status = any ($2::deployment_status_enum[])
     returning deployment_id as id`,
    [change.deployment_id, STOPPABLE],
  );
  if (changed.length === 0) throw await lostStatus(tx, change.deployment_id, STOPPABLE);
}

const statusRow = z.strictObject({ status: deploymentStatusSchema });

async function lostStatus(
  tx: Queries,
  id: string,
  expected: DeploymentStatus[],
): Promise<ConflictError | NotFoundError> {
  const [found] = await tx.query(statusRow, "select status from ml_deployments where deployment_id = $1", [
    id,
  ]);
  if (found === undefined) return new NotFoundError(`Deployment ${id} does not exist`);
  return new ConflictError(
    `Deployment ${id} was expected to be ${expected.join(" or ")} and is ${found.status}`,
    {
      details: { deployment_id: id, expected: { status: expected }, found },
    },
  );
}
