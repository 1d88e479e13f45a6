import { setTimeout as delay } from "node:timers/promises";
import type { Rollout } from "../../agents/model_deployer/domain/traffic/rollout.ts";
import type { Database } from "../../agents/model_deployer/ports/parts.ts";

/** Looks that are under way at once. */
const LOOKS = 100;
const CLAIM_SECONDS = 30;

type LookAtRollout = (rollout: Rollout, now: string) => Promise<void>;

interface Due {
  rollouts: Pick<Database["rollouts"], "claimDue">;
  clock: Pick<Database["clock"], "now">;
}

/** Looks at all rollouts that are due, side by side, so that a slow one does not hold up the others for long. */
export class RolloutLooks {
  readonly #database: Due;
  readonly #look: LookAtRollout;
  readonly #underWay = new Map<string, Promise<void>>();

  /** @param look never rejects */
  constructor(database: Due, look: LookAtRollout) {
    this.#database = database;
    this.#look = look;
  }

  /**
   * Looks at the rollouts that are due, and returns when that is done or `patienceMs` are over; slower looks go on
   * beside the next round.
   * @returns whether more may be due at once
   */
  async round(patienceMs: number): Promise<boolean> {
    const free = LOOKS - this.#underWay.size;
    if (free === 0) return false;
    const due = await this.#database.rollouts.claimDue({ limit: free, claim_seconds: CLAIM_SECONDS });
    if (due.length === 0) return false;
    const now = await this.#database.clock.now();
    const isNew = ({ rollout_id: id }: Rollout) => !this.#underWay.has(id);
    const begun = due.filter(isNew).map((rollout) => this.#begin(rollout, now));
    await placedWithin(patienceMs, begun);
    return due.length === free;
  }

  /** Resolves when all that is under way has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay.values());
  }

  #begin(rollout: Rollout, now: string): Promise<void> {
    const { rollout_id: id } = rollout;
    const look = this.#look(rollout, now).finally(() => this.#underWay.delete(id));
    this.#underWay.set(id, look);
    return look;
  }
}

async function placedWithin(ms: number, work: readonly Promise<void>[]): Promise<void> {
  const over = new AbortController();
  const patience = delay(ms, undefined, { signal: over.signal }).catch(() => undefined);
  await Promise.race([Promise.all(work), patience]);
  over.abort();
}
