import type { Capabilities } from "../agents/model_deployer/capabilities.ts";
import { expireOperations } from "./expire_operations.ts";
import type { TickReport } from "./tick_report.ts";
import { within } from "./within.ts";

const BATCH = 20;
/** Endpoints whose evidence is collected in one round; the next round goes on behind them. */
const COLLECTIONS = 50;
const ROOM_MS = 10_000;
const ROWS_MS = 5_000;
const FORGET_MS = 30_000;
/** The limit for one delivery or collection. */
const WORK_MS = 60_000;

interface Needs {
  /** Keeps room free on the disks, and returns a sentence for each that runs short. */
  room: (() => Promise<string[]>) | null;
  /** Reports a failure among the problems, and never rejects. */
  attempt: (what: string, work: () => Promise<unknown>) => Promise<void>;
  report: () => TickReport;
}

/**
 * A worker's tasks besides rollouts: draining, expired operations, evidence, kept rows and the outbox, one after the
 * other.
 */
export class BackgroundTasks {
  readonly #capabilities: Capabilities;
  readonly #room: Needs["room"];
  readonly #attempt: Needs["attempt"];
  readonly #report: Needs["report"];
  #roomSeenAt = -Infinity;
  #collectedUpTo = "";
  #rowsKeptAt = -Infinity;
  #forgottenAt = -Infinity;

  constructor(capabilities: Capabilities, { room, attempt, report }: Needs) {
    this.#capabilities = capabilities;
    this.#room = room;
    this.#attempt = attempt;
    this.#report = report;
  }

  async keepDiskRoom(): Promise<void> {
    if (this.#room === null || this.#capabilities.now() - this.#roomSeenAt < ROOM_MS) return;
    this.#roomSeenAt = this.#capabilities.now();
    const shortages = await this.#room();
    this.#report().problems.push(...shortages);
    this.#report().shortages.push(...shortages);
  }

  async doAll(): Promise<void> {
    await this.#attempt("draining", async () => {
      const { drained, problems } = await this.#capabilities.draining.drain(BATCH);
      this.#report().drained.push(...drained);
      this.#report().problems.push(...problems);
    });
    await this.#attempt("expired operations", () => this.#expire());
    await this.#attempt("shadow evidence", () => this.#collectEvidence());
    await this.#attempt("predictions of shadows", () => this.#forgetPredictions());
    await this.#attempt("kept rows", () => this.#keepRows());
    await this.#attempt("outbox", async () => {
      const { delivery } = this.#capabilities;
      const undelivered = await within({ ms: WORK_MS, of: "a delivery" }, (signal) =>
        delivery.deliver(BATCH, { signal }),
      );
      this.#report().problems.push(...undelivered);
    });
  }

  /** Ends requests that nobody approved in time, so that their end is visible and remembered. */
  async #expire(): Promise<void> {
    const { parts } = this.#capabilities;
    this.#report().resumed.push(...(await expireOperations(parts.database, BATCH)));
  }

  /** Every few seconds at most, so that logs are not read all the time. */
  async #keepRows(): Promise<void> {
    const { parts, endpoints, now } = this.#capabilities;
    if (now() - this.#rowsKeptAt < ROWS_MS) return;
    this.#rowsKeptAt = now();
    for (const endpoint of await parts.database.keptRows.endpoints()) {
      await this.#attempt(endpoint.endpoint_name, () =>
        endpoints.rows.collect(endpoint, { signal: AbortSignal.timeout(WORK_MS) }),
      );
    }
  }

  /** The lines that a shadow leaves behind go, though nobody collects its evidence any more. */
  async #forgetPredictions(): Promise<void> {
    const { parts, now } = this.#capabilities;
    if (now() - this.#forgottenAt < FORGET_MS) return;
    this.#forgottenAt = now();
    await parts.database.shadowComparisons.forget();
  }

  async #collectEvidence(): Promise<void> {
    const { parts, endpoints } = this.#capabilities;
    const page = { after: this.#collectedUpTo, limit: COLLECTIONS };
    const mirrored = await parts.database.endpoints.listMirrored(page);
    this.#collectedUpTo = mirrored.length < COLLECTIONS ? "" : (mirrored.at(-1)?.endpoint_name ?? "");
    for (const endpoint of mirrored) {
      await this.#attempt(endpoint.endpoint_name, () =>
        endpoints.collectShadowEvidence(endpoint, { signal: AbortSignal.timeout(WORK_MS) }),
      );
    }
  }
}
