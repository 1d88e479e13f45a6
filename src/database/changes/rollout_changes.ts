import { z } from "zod";
import type { ChangeOf } from "../../agents/model_deployer/domain/changes.ts";
import { isRolloutOpen, rolloutStatusSchema } from "../../agents/model_deployer/domain/traffic/rollout.ts";
import type { KeptLook } from "../../agents/model_deployer/domain/evidence/kept_look.ts";
import { ConflictError, NotFoundError } from "../../agents/model_deployer/errors.ts";
import { anyRow, type Queries, type Transaction } from "../connection/transaction.ts";
import { idRow, json } from "../rows.ts";
import type { ChangeContext } from "./context.ts";

/** @throws ConflictError when the endpoint has an open rollout already. */
export async function startRollout(
  tx: Queries,
  { rollout, reason, metrics, evidence }: ChangeOf<"start_rollout">,
  context: ChangeContext,
): Promise<void> {
  const row = {
    ...rollout,
    steps: json(rollout.steps),
    asked_steps: json(rollout.asked_steps),
    judge: json(rollout.judge),
    judge_state: json(rollout.judge_state),
    verdict: json(rollout.verdict),
    pause: json(rollout.pause),
    operation_id: context.operation_id,
    first_judge_state: json(rollout.judge_state),
  };
  const columns = Object.keys(row);
  await tx.query(
    anyRow,
    `insert into ml_rollouts (${columns.join(", ")})
     values (${columns.map((_, index) => `$${index + 1}`).join(", ")})`,
    Object.values(row),
  );
  const { rollout_id } = rollout;
  const steps = rollout.steps.map(({ weight }) => `${weight} %`).join(", ");
  const started = reason ?? `${rollout.deployment_id} in steps of ${steps}`;
  const kind = rollout.status === "completed" ? "rollout_completed" : "rollout_started";
  await writeEvent(tx, rollout_id, { kind, reason: started, metrics, evidence }, context);
}

/**
 * Moves the rollout and lets the next worker look at it. Without a context the change is the worker's own, which is
 * dropped where no look is due any more, because a rollback has begun meanwhile.
 */
export async function moveRollout(
  tx: Transaction,
  change: ChangeOf<"move_rollout">,
  context: ChangeContext | null,
): Promise<void> {
  const { event, rollout_id: id } = change;
  await tx.together(
    () => setRollout(tx, change, context),
    async () => event && writeEvent(tx, id, event, context),
    async () => change.look && keepLook(tx, id, change.look),
  );
}

async function keepLook(tx: Queries, rolloutId: string, look: KeptLook): Promise<void> {
  await tx.query(
    anyRow,
    `insert into ml_rollout_looks (rollout_id, looked_at, look)
     select r.rollout_id, $2, $3 from ml_rollouts r where r.rollout_id = $1 on conflict do nothing`,
    [rolloutId, look.looked_at, json(look)],
  );
}

/** A change with an event is never one that may be dropped. */
async function setRollout(
  tx: Queries,
  change: ChangeOf<"move_rollout">,
  context: ChangeContext | null,
): Promise<void> {
  const { pause } = change;
  const moved = await tx.query(
    idRow,
    `update ml_rollouts set status = $4, step_index = $5, step_started_at = coalesce($6, step_started_at),
       next_tick_at = $7, inconclusive_looks = $8, judge_state = $9, verdict = $10,
       watched_until = coalesce($11, watched_until), pause = case when $12 then $13 else pause end,
       claimed_until = null, updated_at = clock_timestamp()
     where rollout_id = $1 and step_index = $2 and status = any ($3::text[])
       and ($14::boolean or next_tick_at is not null)
     returning rollout_id as id`,
    [
      change.rollout_id,
      change.expected_step_index,
      change.expected_status,
      change.status,
      change.step_index,
      change.step_started_at,
      change.next_tick_at,
      change.inconclusive_looks,
      json(change.judge_state),
      json(change.verdict),
      change.watched_until ?? null,
      pause !== undefined,
      json(pause),
      context !== null,
    ],
  );
  if (moved.length > 0) return;
  const state = await stateOf(tx, change.rollout_id);
  const mayLose = change.unless_ended === true && change.event === undefined;
  if (!(mayLose && state !== null && !isRolloutOpen(state))) throw lostRollout(change, state);
}

async function writeEvent(
  tx: Queries,
  rolloutId: string,
  event: NonNullable<ChangeOf<"move_rollout">["event"]>,
  context: ChangeContext | null,
): Promise<void> {
  await tx.query(
    anyRow,
    `insert into ml_rollout_history
       (rollout_id, experiment_id, endpoint_name, kind, step_index, weights, verdict, changed_by, reason, operation_id,
        metrics, evidence)
     select r.rollout_id, r.experiment_id, r.endpoint_name, $2, r.step_index, e.weights, r.verdict, $3, $4, $5, $6, $7
     from ml_rollouts r join ml_endpoints e using (endpoint_name) where r.rollout_id = $1`,
    [
      rolloutId,
      event.kind,
      context?.requested_by ?? "model_deployer",
      event.reason,
      context?.operation_id ?? null,
      json(event.metrics ?? {}),
      json(event.evidence ?? {}),
    ],
  );
}

const stateRow = z.strictObject({ status: rolloutStatusSchema, step_index: z.int(), is_due: z.boolean() });

type State = z.infer<typeof stateRow>;

async function stateOf(tx: Queries, rolloutId: string): Promise<State | null> {
  const [found] = await tx.query(
    stateRow,
    "select status, step_index, next_tick_at is not null as is_due from ml_rollouts where rollout_id = $1",
    [rolloutId],
  );
  return found ?? null;
}

function lostRollout(change: ChangeOf<"move_rollout">, found: State | null): ConflictError | NotFoundError {
  const { rollout_id: id, expected_status: status, expected_step_index: step_index } = change;
  if (found === null) return new NotFoundError(`Rollout ${id} does not exist`);
  return new ConflictError(
    `Rollout ${id} was expected ${status.join(" or ")} at step ${step_index} and is ${found.status} at step ${found.step_index}${found.is_due ? "" : ", and no look is due"}`,
    {
      details: {
        rollout_id: id,
        expected: { status, step_index },
        found: { status: found.status, step_index: found.step_index },
      },
    },
  );
}
