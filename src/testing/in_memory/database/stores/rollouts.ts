import type { ChangeOf } from "../../../../agents/model_deployer/domain/changes.ts";
import { isRolloutOpen, type Rollout } from "../../../../agents/model_deployer/domain/rollout.ts";
import type { Rollouts } from "../../../../agents/model_deployer/store_ports.ts";
import { moveRollout } from "../changes/rollout_changes.ts";
import { inOrder } from "../order.ts";
import type { RolloutRow, Tables } from "../tables.ts";
import { publicRollout } from "./readers.ts";

export class InMemoryRollouts implements Rollouts {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  async get(rolloutId: string): Promise<Rollout | null> {
    const row = this.#tables.rollouts.get(rolloutId);
    return row === null ? null : publicRollout(row);
  }

  async getOpen(endpointName: string): Promise<Rollout | null> {
    const row = this.#tables.rollouts.first(
      (one) => isRolloutOpen(one) && one.endpoint_name === endpointName,
    );
    return row === null ? null : publicRollout(row);
  }

  async claimDue(options: { limit: number; claim_seconds: number }): Promise<Rollout[]> {
    const { rollouts, clock } = this.#tables;
    const due = inOrder(
      rollouts.where((row) => this.#isDue(row)),
      (row) => row.next_tick_at ?? "",
    );
    return due.slice(0, options.limit).map((row) => {
      rollouts.put({ ...row, claimed_until: clock.after(options.claim_seconds) });
      return publicRollout(row);
    });
  }

  async release(rolloutId: string, options: { retry_seconds: number }): Promise<void> {
    const { rollouts, clock } = this.#tables;
    const row = rollouts.get(rolloutId);
    if (row === null) return;
    const due = row.next_tick_at;
    const isSooner = due !== null && clock.secondsSince(due) > -options.retry_seconds;
    const next_tick_at = isSooner ? clock.after(options.retry_seconds) : due;
    rollouts.put({ ...row, claimed_until: null, next_tick_at });
  }

  async hold(change: ChangeOf<"move_rollout">): Promise<void> {
    moveRollout(change, this.#tables, null);
  }

  #isDue({ next_tick_at, claimed_until, endpoint_name }: RolloutRow): boolean {
    const { clock, operations } = this.#tables;
    if (next_tick_at === null || !clock.hasPassed(next_tick_at)) return false;
    if (claimed_until !== null && !clock.hasPassed(claimed_until)) return false;
    const wayBack = operations.first(
      (row) =>
        row.lease_name === endpoint_name &&
        ["rollback", "abort"].includes(row.action) &&
        (row.status === "planned" || row.status === "carrying_out"),
    );
    return wayBack === null;
  }
}
