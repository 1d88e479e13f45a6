import type { Outbox, OutboxEntry } from "../../../../agents/model_deployer/store_ports.ts";
import type { OutboxRow, Tables } from "../tables.ts";

const VISIBILITY_SECONDS = 60;
const FIRST_DELAY_SECONDS = 1;
const MAXIMUM_DELAY_SECONDS = 300;

export class InMemoryOutbox implements Outbox {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  /** `attempts` counts this one too. */
  async claim(limit: number): Promise<OutboxEntry[]> {
    const { outbox, clock } = this.#tables;
    const due = outbox.where((row) => row.delivered_at === null && clock.hasPassed(row.next_attempt_at));
    return due.slice(0, limit).map((row) => {
      const attempts = row.attempts + 1;
      outbox.put({ ...row, attempts, next_attempt_at: clock.after(VISIBILITY_SECONDS) });
      const { entry_id, topic, dedupe_key, payload } = row;
      return { entry_id, topic, dedupe_key, payload, attempts };
    });
  }

  async delivered(entryId: string): Promise<void> {
    const { clock } = this.#tables;
    this.#change(entryId, (row) => ({ ...row, delivered_at: clock.now() }));
  }

  /** The delay doubles with each attempt; without the real one's randomness, so that a test knows it. */
  async failed(entryId: string, reason: string): Promise<void> {
    const { clock } = this.#tables;
    this.#change(entryId, (row) => {
      const seconds = Math.min(MAXIMUM_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** (row.attempts - 1));
      return { ...row, last_error: reason, next_attempt_at: clock.after(seconds) };
    });
  }

  #change(entryId: string, change: (row: OutboxRow) => OutboxRow): void {
    const { outbox } = this.#tables;
    const row = outbox.first((one) => one.entry_id === entryId && one.delivered_at === null);
    if (row !== null) outbox.put(change(row));
  }
}
