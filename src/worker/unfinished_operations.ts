import type { Capabilities } from "../agents/model_deployer/capabilities.ts";
import { resumeOperation } from "../agents/model_deployer/operations/resume_operation.ts";
import type { Operation } from "../agents/model_deployer/ports/stores/operation_stores.ts";
import { Pauses } from "./pauses.ts";
import type { TickReport } from "./tick_report.ts";
import { within } from "./within.ts";

/**
 * How many operations are carried on at once, and how many prepared; the two have separate places, so that long
 * preparations do not hold up the others.
 */
const AT_ONCE = 4;

interface Needs {
  /** Reports a failure among the problems, and never rejects. */
  attempt: (what: string, work: () => Promise<unknown>) => Promise<void>;
  report: () => TickReport;
}

interface Limits {
  /** Ends the wait for an environment or artifact that is being made, which goes on. */
  patience?: AbortSignal;
  /** Ends all of it. */
  until?: AbortSignal;
}

/** Carries interrupted operations on, several at once and each for as long as its own limits let it. */
export class UnfinishedOperations {
  readonly #capabilities: Capabilities;
  readonly #attempt: Needs["attempt"];
  readonly #report: Needs["report"];
  readonly #pauses: Pauses;
  readonly #underWay = new Map<string, { isPrepared: boolean; work: Promise<void> }>();

  constructor(capabilities: Capabilities, { attempt, report }: Needs) {
    this.#capabilities = capabilities;
    this.#attempt = attempt;
    this.#report = report;
    this.#pauses = new Pauses(capabilities.now);
  }

  /**
   * Starts the next operations that are free, without waiting for them, or one after the other where `oneByOne` is set.
   * Never rejects.
   */
  async start({ oneByOne = false, ...limits }: Limits & { oneByOne?: boolean }): Promise<void> {
    await this.#attempt("unfinished operations", async () => {
      const { operations } = this.#capabilities.parts.database;
      if (this.#free(true) + this.#free(false) <= 0) return;
      for (const operation of await operations.takeUnfinished(2 * AT_ONCE)) {
        const { operation_id: id, status } = operation;
        const isPrepared = status !== "preparing";
        if (this.#underWay.has(id) || this.#free(isPrepared) <= 0 || !this.#pauses.isOver(id)) continue;
        const work = this.#attempt(id, () => this.#resume(operation, limits));
        const ended = work.finally(() => this.#underWay.delete(id));
        this.#underWay.set(id, { isPrepared, work: ended });
        if (oneByOne) await ended;
      }
    });
  }

  /** Resolves when all that is under way has ended. */
  async settled(): Promise<void> {
    await Promise.all([...this.#underWay.values()].map(({ work }) => work));
  }

  #free(isPrepared: boolean): number {
    const busy = [...this.#underWay.values()].filter((one) => one.isPrepared === isPrepared);
    return AT_ONCE - busy.length;
  }

  async #resume(
    { operation_id }: Pick<Operation, "operation_id">,
    { patience, until }: Limits,
  ): Promise<void> {
    const capabilities = this.#capabilities;
    const limit = {
      ms: capabilities.settings.long_work_seconds * 1000,
      of: "carrying an operation on",
      until,
    };
    this.#pauses.failed(operation_id);
    const onUnderWay = (line: string) => this.#report().progress.push(`${operation_id}: ${line}`);
    const resumed = await within(limit, (signal) =>
      resumeOperation(capabilities, operation_id, { signal, onUnderWay, ...(patience && { patience }) }),
    );
    this.#pauses.succeeded(operation_id);
    this.#report().resumed.push(resumed);
  }
}
