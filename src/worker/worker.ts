import { setTimeout as delay } from "node:timers/promises";
import { inSpan } from "../agents/base/tracing.ts";
import { Deadline } from "../agents/base/deadline.ts";
import type { Capabilities } from "../agents/model_deployer/capabilities.ts";
import type { Rollout } from "../agents/model_deployer/domain/rollout.ts";
import type { ModelDeployerGraph } from "../agents/model_deployer/graph.ts";
import { resumeOperation } from "../agents/model_deployer/resume_operation.ts";
import type { Operation } from "../agents/model_deployer/store_ports.ts";
import { advanceRollout, type Looked } from "./advance_rollout.ts";
import { Pauses } from "./pauses.ts";
import { type Presence, tellPresence } from "./presence.ts";
import { RolloutLooks } from "./rollout_looks.ts";
import { sentenceOf } from "./sentence_of.ts";
import { emptyReport, type TickReport } from "./tick_report.ts";
import { ToldProblems } from "./told_problems.ts";

export interface WorkerOptions {
  /** Ends the worker after the tick that is under way. */
  signal: AbortSignal;
  /** Pause between ticks when nothing is due. */
  idleMs?: number;
  onTick?: (report: TickReport) => void;
}

const BATCH = 20;
/** For so long a tick waits for its looks; a server that has to be started for one of them holds up no other rollout. */
const PATIENCE_MS = 1000;
/** Endpoints whose evidence is collected in one round; the next round goes on behind them. */
const COLLECTIONS = 50;
/** How many operations are carried on at once beside the looks. */
const RESUMES = 4;
const ROOM_MS = 10_000;
/** So long a look that failed is not tried again. */
const RETRY_SECONDS = 2;
/** What one rollout, operation, server or delivery may take; each has a signal of its own. */
const WORK_MS = 60_000;
/** Longer than servers and their environments take to start by their own limits, which are what ends them. */
const REPAIR_MS = 3_600_000;
/** Rounds of reconciliation at once: one that waits for a server to start keeps the others from nothing. */
const ROUNDS = 8;
const ROUND = "reconciliation";
const isRound = (name: string): boolean => name.startsWith(`${ROUND} `);

/**
 * Takes what lasts longer than one answer: rollouts step by step, interrupted operations, evidence and draining.
 * The next tick of `run` waits for the looks at rollouts alone, and not for long; the rest goes on beside them.
 */
export class Worker {
  readonly #capabilities: Capabilities;
  readonly #graph: ModelDeployerGraph;
  readonly #presence: Presence | null;
  readonly #looks: RolloutLooks;
  readonly #beside = new Map<string, Promise<void>>();
  /** What is done beside the looks, each one at a time. */
  readonly #chores = new Map([
    ["chores", () => this.#doChores()],
    ["room on the disk", () => this.#seeToRoom()],
  ]);
  #rounds = 0;
  readonly #pauses = new Pauses();
  readonly #told = new ToldProblems();
  readonly #room: (() => Promise<string[]>) | null;
  #roomSeenAt = -Infinity;
  #reconciledAt = performance.now();
  #report = emptyReport();
  #collectedUpTo = "";

  /** @param room sees to the room on the disks, and says what is short of it */
  constructor(
    capabilities: Capabilities,
    graph: ModelDeployerGraph,
    presence: Presence | null = null,
    room: (() => Promise<string[]>) | null = null,
  ) {
    this.#room = room;
    this.#capabilities = capabilities;
    this.#graph = graph;
    this.#presence = presence;
    this.#looks = new RolloutLooks(capabilities.parts.database, (rollout, now) => this.#lookAt(rollout, now));
  }

  /** Ticks until the signal aborts, then waits for what is under way. Rejects only with an error that `onTick` raised. */
  async run({ signal, idleMs = 250, onTick }: WorkerOptions): Promise<void> {
    const ended = new AbortController();
    const present = tellPresence(this.#presence, ended.signal, (problem) =>
      this.#report.problems.push(problem),
    );
    // What a machine's restart has ended is served again before anything else is looked at.
    this.#reconciledAt = -Infinity;
    void this.#startReconciling();
    try {
      while (!signal.aborted) {
        const isMoreDue = await this.#lookAtRollouts(PATIENCE_MS);
        await this.#startResuming();
        for (const [name, work] of this.#chores) void this.#startBeside(name, work);
        void this.#startReconciling();
        onTick?.(this.#takeToldReport());
        await delay(isMoreDue ? 0 : idleMs, undefined, { signal }).catch(ignoreAbort);
      }
    } finally {
      await Promise.all([this.#looks.settled(), ...this.#beside.values()]);
      ended.abort();
      await present;
    }
    onTick?.(this.#takeToldReport());
  }

  /** One round over everything that is due, to its end. A part that fails is named and does not stop the others. */
  async tick(): Promise<TickReport> {
    await this.#lookAtRollouts(0);
    await this.#looks.settled();
    await this.#startResuming((work) => work);
    for (const [name, work] of this.#chores) await this.#startBeside(name, work);
    await this.#startReconciling();
    return this.#takeToldReport();
  }

  async #lookAtRollouts(patienceMs: number): Promise<boolean> {
    let isMoreDue = false;
    await this.#attempt("rollouts", async () => {
      isMoreDue = await this.#looks.round(patienceMs);
    });
    return isMoreDue;
  }

  #takeReport(): TickReport {
    const report = this.#report;
    this.#report = emptyReport();
    return report;
  }

  #takeToldReport(): TickReport {
    const report = this.#takeReport();
    return { ...report, told: this.#told.tell(report.problems, performance.now()) };
  }

  async #attempt(what: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#report.problems.push(`${what}: ${sentenceOf(error)}`);
    }
  }

  /** Does nothing when work of that name is under way. Never rejects. */
  #startBeside(name: string, work: () => Promise<unknown>): Promise<void> {
    const underWay = this.#beside.get(name);
    if (underWay !== undefined) return underWay;
    const started = this.#attempt(name, work).finally(() => this.#beside.delete(name));
    this.#beside.set(name, started);
    return started;
  }

  async #lookAt(rollout: Rollout, now: string): Promise<void> {
    const { rollout_id } = rollout;
    const { rollouts } = this.#capabilities.parts.database;
    const release = () => rollouts.release(rollout_id, { retry_seconds: RETRY_SECONDS });
    await this.#attempt(rollout_id, async () => {
      try {
        const advance = () => within(WORK_MS, (signal) => this.#advance(rollout, now, signal));
        const looked = await inSpan("worker.look", { rollout_id }, advance);
        this.#report.rollouts.push(looked);
      } catch (error) {
        await this.#attempt(rollout_id, release);
        throw error;
      }
    });
  }

  #advance(rollout: Rollout, now: string, signal: AbortSignal): Promise<Looked> {
    const onProblem = (problem: string) => this.#report.problems.push(problem);
    return advanceRollout(this.#capabilities, this.#graph, rollout, now, { signal, onProblem });
  }

  /** `wait` decides whether the next one begins before the last one has ended. */
  async #startResuming(
    wait: (work: Promise<void>) => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    await this.#attempt("unfinished operations", async () => {
      const { operations } = this.#capabilities.parts.database;
      const free =
        RESUMES - [...this.#beside.keys()].filter((name) => !this.#chores.has(name) && !isRound(name)).length;
      if (free <= 0) return;
      for (const operation of await operations.takeUnfinished(free)) {
        const { operation_id: id } = operation;
        if (this.#pauses.isOver(id)) await wait(this.#startBeside(id, () => this.#resume(operation)));
      }
    });
  }

  async #resume({ operation_id }: Operation): Promise<void> {
    const capabilities = this.#capabilities;
    this.#pauses.failed(operation_id);
    const resumed = await within(WORK_MS, (signal) =>
      resumeOperation(capabilities, operation_id, { signal }),
    );
    this.#pauses.succeeded(operation_id);
    this.#report.resumed.push(resumed);
  }

  /** Cheap, and still not for every tick: drift comes from outside, and seldom. Rounds may overlap. */
  #startReconciling(): Promise<void> {
    const { reconciler, settings } = this.#capabilities;
    const underWay = [...this.#beside.keys()].filter(isRound).length;
    const isDue = performance.now() - this.#reconciledAt >= settings.reconcile_seconds * 1000;
    if (!isDue || underWay >= ROUNDS) return Promise.resolve();
    this.#reconciledAt = performance.now();
    this.#rounds += 1;
    return this.#startBeside(`${ROUND} ${this.#rounds}`, async () => {
      const report = await within(REPAIR_MS, (signal) => reconciler.reconcileSome({ signal }));
      this.#report.reconciliation = report;
    });
  }

  async #seeToRoom(): Promise<void> {
    if (this.#room === null || performance.now() - this.#roomSeenAt < ROOM_MS) return;
    this.#roomSeenAt = performance.now();
    this.#report.problems.push(...(await this.#room()));
  }

  async #doChores(): Promise<void> {
    await this.#attempt("draining", async () => {
      const { drained, problems } = await this.#capabilities.draining.drain(BATCH);
      this.#report.drained.push(...drained);
      this.#report.problems.push(...problems);
    });
    await this.#attempt("shadow evidence", () => this.#collectEvidence());
    await this.#attempt("outbox", async () => {
      const { delivery } = this.#capabilities;
      const undelivered = await within(WORK_MS, (signal) => delivery.deliver(BATCH, { signal }));
      this.#report.problems.push(...undelivered);
    });
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

function within<T>(ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const deadline = new Deadline(ms);
  return deadline.cover(() => work(deadline.signal));
}

function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error) || error.name !== "AbortError") throw error;
}
