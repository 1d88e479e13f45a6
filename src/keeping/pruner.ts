import { ConflictError } from "../agents/model_deployer/errors.ts";
import { decidePrune, keyOf, namesIn, type PrunePlan, type PrunePolicy } from "./decide_prune.ts";
import type {
  KeepingFacts,
  OldRows,
  PrunableRows,
  SetAside,
  PrunableStore,
  PrunableKind,
  StoredItem,
} from "./prunable_store.ts";

export interface Pruned {
  removed: StoredItem[];
  /** Was to go and stays, with the reason: somebody has begun to need it meanwhile. */
  spared: { kind: PrunableKind; name: string; why: string }[];
  rows: OldRows[];
}

export interface PrunerParts {
  facts: KeepingFacts;
  stores: readonly PrunableStore[];
  rows: readonly PrunableRows[];
  /** Runs work while no other prune or backup of this home runs; null where one does. */
  alone: <T>(work: () => Promise<T>) => Promise<T | null>;
}

/**
 * Removes what nobody needs. Each thing is moved away in one step, then the database and the store are asked once more,
 * and it is put back where an operation has begun to need it: an operation is written down before it looks for a thing.
 */
export class Pruner {
  readonly #parts: PrunerParts;

  constructor(parts: PrunerParts) {
    this.#parts = parts;
  }

  /** Lists all that a prune would remove now; removes nothing. */
  async plan(policy: PrunePolicy, kinds?: readonly (PrunableKind | "rows")[]): Promise<PrunePlan> {
    const { facts, stores, rows } = this.#parts;
    const now = await facts.now();
    const before = instantBefore(now, policy.older_than_seconds);
    // The needs are read last: whatever is listed by then and needed later is seen when it is set aside.
    const items = (await Promise.all(stores.map((store) => store.list()))).flat();
    const old = (await Promise.all(rows.map((store) => store.count(before)))).flat();
    const plan = decidePrune(policy, { now, items, rows: old, needed: await facts.needed() });
    if (kinds === undefined) return plan;
    const remove = plan.remove.filter(({ kind }) => kinds.includes(kind));
    return {
      ...plan,
      remove,
      freed_bytes: remove.reduce((sum, { bytes }) => sum + bytes, 0),
      rows: kinds.includes("rows") ? plan.rows : [],
    };
  }

  /**
   * Carries a plan out, as far as it still holds.
   * @throws ConflictError while another prune, or a backup, is under way in this home
   */
  async prune(policy: PrunePolicy, kinds?: readonly (PrunableKind | "rows")[]): Promise<Pruned> {
    const pruned = await this.#parts.alone(async () => {
      for (const store of this.#parts.stores) await store.tidy();
      return this.#carryOut(await this.plan(policy, kinds), policy);
    });
    if (pruned !== null) return pruned;
    throw new ConflictError(
      "Another prune or a backup is under way in this home; nothing was removed. Ask again when it is done.",
    );
  }

  async #carryOut(plan: PrunePlan, policy: PrunePolicy): Promise<Pruned> {
    const removed: StoredItem[] = [];
    const spared: Pruned["spared"] = [];
    for (const store of this.#parts.stores) {
      for (const item of plan.remove.filter(({ kind }) => kind === store.kind)) {
        const aside = await store.setAside(item.name);
        if (aside === null) continue;
        const why = await this.#removeOrRestore(store, item, aside);
        if (why === null) removed.push(item);
        else spared.push({ kind: item.kind, name: item.name, why });
      }
    }
    const rows = plan.rows.length === 0 ? [] : await this.#removeRows(policy);
    return { removed, spared, rows };
  }

  /** @returns null where it is gone for good, else why it is back */
  async #removeOrRestore(store: PrunableStore, item: StoredItem, aside: SetAside): Promise<string | null> {
    let why: string | null;
    try {
      why = await this.#neededNow(store, item);
    } catch (error) {
      // Where it is not known whether somebody needs it, it stays.
      await aside.restore();
      throw error;
    }
    await (why === null ? aside.discard() : aside.restore());
    return why;
  }

  async #neededNow(store: PrunableStore, item: StoredItem): Promise<string | null> {
    const needed = await this.#parts.facts.needed();
    const version = needed.find((one) => namesIn(one).some((name) => keyOf(name) === keyOf(item)));
    return version?.why ?? (await store.heldNow(item.name));
  }

  async #removeRows({ older_than_seconds }: PrunePolicy): Promise<OldRows[]> {
    const before = instantBefore(await this.#parts.facts.now(), older_than_seconds);
    const removed: OldRows[] = [];
    for (const store of this.#parts.rows) removed.push(...(await store.remove(before)));
    return removed.filter(({ rows }) => rows > 0);
  }
}

const instantBefore = (now: string, seconds: number): string =>
  new Date(Date.parse(now) - seconds * 1000).toISOString();
