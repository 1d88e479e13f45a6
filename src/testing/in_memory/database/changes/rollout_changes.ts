import type { ChangeOf } from "../../../../agents/model_deployer/domain/changes.ts";
import { isRolloutOpen } from "../../../../agents/model_deployer/domain/rollout.ts";
import { ConflictError, NotFoundError } from "../../../../agents/model_deployer/errors.ts";
import { check } from "../table.ts";
import type { RolloutRow, Tables } from "../tables.ts";
import type { ChangeContext } from "./context.ts";

/** @throws ConflictError when the endpoint has an open rollout already. */
export function startRollout(
  { rollout, reason, metrics, evidence }: ChangeOf<"start_rollout">,
  { tables, requested_by }: ChangeContext,
): void {
  check(rollout.deployment_id !== rollout.baseline_deployment_id, "ml_rollouts_check1");
  const row = { ...rollout, claimed_until: null };
  requireKeepable(tables, row);
  tables.endpoints.require(rollout.endpoint_name);
  tables.experiments.require(rollout.experiment_id);
  tables.deployments.require(rollout.deployment_id);
  tables.deployments.require(rollout.baseline_deployment_id);
  tables.rollouts.insert(row);
  const steps = rollout.steps.map(({ weight }) => `${weight} %`).join(", ");
  const started = reason ?? `${rollout.deployment_id} in steps of ${steps}`;
  const kind = rollout.status === "completed" ? "rollout_completed" : "rollout_started";
  writeEvent(tables, row, { kind, reason: started, metrics, evidence }, requested_by);
}

/**
 * Gives the rollout back to whoever ticks next. Without a context the change is the worker's own, which loses where
 * nothing is to be looked at any more: a rollback has begun meanwhile.
 */
export function moveRollout(
  change: ChangeOf<"move_rollout">,
  tables: Tables,
  context: Pick<ChangeContext, "requested_by"> | null,
): void {
  const { rollouts } = tables;
  const found = rollouts.get(change.rollout_id);
  if (found === null) throw new NotFoundError(`Rollout ${change.rollout_id} does not exist`);
  const isOverlooked = context === null && found.next_tick_at === null;
  const isElsewhere = found.step_index !== change.expected_step_index || isOverlooked;
  if (isElsewhere || !change.expected_status.includes(found.status)) {
    if (change.unless_ended === true && !isRolloutOpen(found)) return;
    throw lostRollout(found, change);
  }
  const moved: RolloutRow = {
    ...found,
    status: change.status,
    step_index: change.step_index,
    step_started_at: change.step_started_at ?? found.step_started_at,
    next_tick_at: change.next_tick_at,
    inconclusive_looks: change.inconclusive_looks,
    judge_state: change.judge_state,
    verdict: change.verdict,
    watched_until: change.watched_until ?? found.watched_until,
    pause: change.pause === undefined ? found.pause : change.pause,
    claimed_until: null,
  };
  requireKeepable(tables, moved);
  rollouts.put(moved);
  if (change.event !== undefined) {
    writeEvent(tables, moved, change.event, context?.requested_by ?? "model_deployer");
  }
}

function writeEvent(
  { rolloutEvents, deployments, clock }: Tables,
  { rollout_id, experiment_id, endpoint_name, deployment_id, verdict }: RolloutRow,
  { kind, reason, metrics = {}, evidence = {} }: NonNullable<ChangeOf<"move_rollout">["event"]>,
  changed_by: string,
): void {
  rolloutEvents.insert({
    history_id: rolloutEvents.where(() => true).length + 1,
    kind,
    occurred_at: clock.now(),
    experiment_id,
    model_version_id: deployments.require(deployment_id).model_version_id,
    from_stage: null,
    to_stage: null,
    endpoint_name,
    generation: null,
    weights: null,
    from_weights: null,
    rollout_id,
    changed_by,
    reason,
    metrics,
    evidence: { verdict, ...evidence },
  });
}

function requireKeepable({ rollouts }: Tables, row: RolloutRow): void {
  check(row.step_index <= row.steps.length, "ml_rollouts_check");
  const other = rollouts.first(
    (one) =>
      isRolloutOpen(one) && one.endpoint_name === row.endpoint_name && one.rollout_id !== row.rollout_id,
  );
  if (isRolloutOpen(row) && other !== null) {
    throw new ConflictError(
      `Somebody else was first: ${row.endpoint_name} has the open rollout ${other.rollout_id} already`,
      { details: { constraint: "ml_rollouts_one_open" } },
    );
  }
}

function lostRollout(found: RolloutRow, change: ChangeOf<"move_rollout">): ConflictError {
  const { expected_status: status, expected_step_index: step_index, rollout_id } = change;
  return new ConflictError(
    `Rollout ${rollout_id} was expected ${status.join(" or ")} at step ${step_index} and is ${found.status} at step ${found.step_index}${found.next_tick_at === null ? ", and no look is due" : ""}`,
    {
      details: {
        rollout_id,
        expected: { status, step_index },
        found: { status: found.status, step_index: found.step_index },
      },
    },
  );
}
