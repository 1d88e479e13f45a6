import { setTimeout as delay } from "node:timers/promises";
import { inSpan } from "../agents/base/tracing.ts";
import type { Capabilities } from "../agents/model_deployer/capabilities.ts";
import type { Rollout } from "../agents/model_deployer/domain/traffic/rollout.ts";
import type { ModelDeployerGraph } from "../agents/model_deployer/graph.ts";
import { advanceRollout, type LookOutcome } from "./rollouts/advance_rollout.ts";
import { BackgroundTasks } from "./background_tasks.ts";
import { type CertificateWatch, NoticeRounds } from "./notice_rounds.ts";
import { type Presence, tellPresence } from "./worker_presence.ts";
import { RolloutLooks } from "./rollouts/rollout_looks.ts";
import { sentenceOf } from "./sentence_of.ts";
import { emptyReport, type TickReport } from "./tick_report.ts";
import { ProblemThrottle } from "./problem_throttle.ts";
import { DueUpkeep, type Upkeep } from "./upkeep.ts";
import { UnfinishedOperations } from "./unfinished_operations.ts";
import { delayedAbort, within } from "./within.ts";

export interface WorkerOptions {
  /** Ends the worker after the tick that is under way. */
  signal: AbortSignal;
  /** Pause between ticks when nothing is due. */
  idleMs?: number;
  onTick?: (report: TickReport) => void;
}

/**
 * How long a tick waits for its looks, so that a server which has to be started for one of them holds up no other
 * rollout.
 */
const PATIENCE_MS = 1000;
/** How long after a failed look the next one comes. */
const RETRY_SECONDS = 2;
/** The limit for one look at a rollout, and for work under way after the worker was told to end. */
const WORK_MS = 60_000;
/** How many rounds of reconciliation may overlap, since one may wait for a server to start. */
const ROUNDS = 8;
const ROUND = "reconciliation";
const isRound = (name: string): boolean => name.startsWith(`${ROUND} `);

/**
 * Carries out all that lasts longer than one answer: rollouts step by step, interrupted operations, evidence and
 * draining. The next tick of `run` waits only for the looks at rollouts, and not for long; the rest goes on beside
 * them.
 */
export class Worker {
  readonly #capabilities: Capabilities;
  readonly #graph: ModelDeployerGraph;
  readonly #presence: Presence | null;
  readonly #looks: RolloutLooks;
  readonly #beside = new Map<string, Promise<void>>();
  /** Work beside the looks, by name; of each name one at a time. */
  readonly #tasks: ReadonlyMap<string, () => Promise<void>>;
  #rounds = 0;
  readonly #unfinished: UnfinishedOperations;
  readonly #throttle = new ProblemThrottle();
  readonly #notices: NoticeRounds;
  #reconciledAt: number;
  /** When a server that callers wait for is tried again, though no round is due yet. */
  #retryAt = Infinity;
  #report = emptyReport();

  /**
   * @param room keeps room free on the disks, and returns a sentence for each that runs short
   * @param certificates returns a sentence for each certificate that ends soon
   * @param upkeep what it does by itself beside all else
   */
  constructor(
    capabilities: Capabilities,
    graph: ModelDeployerGraph,
    presence: Presence | null = null,
    room: (() => Promise<string[]>) | null = null,
    certificates: CertificateWatch | null = null,
    upkeep: readonly Upkeep[] = [],
  ) {
    this.#capabilities = capabilities;
    const attempt = (what: string, work: () => Promise<unknown>) => this.#attempt(what, work);
    const tasks = new BackgroundTasks(capabilities, { room, attempt, report: () => this.#report });
    this.#notices = new NoticeRounds(capabilities, certificates, (problem) =>
      this.#report.problems.push(problem),
    );
    this.#tasks = new Map([
      ["background tasks", () => tasks.doAll()],
      ["room on the disk", () => tasks.keepDiskRoom()],
      ["certificates", () => this.#notices.lookAtCertificates()],
      ["notices", () => this.#notices.begin()],
      ...upkeep.map((one) => this.#due(one, capabilities.now)),
    ]);
    this.#unfinished = new UnfinishedOperations(capabilities, { attempt, report: () => this.#report });
    this.#reconciledAt = capabilities.now();
    this.#graph = graph;
    this.#presence = presence;
    this.#looks = new RolloutLooks(capabilities.parts.database, (rollout, now) => this.#lookAt(rollout, now));
  }

  #due(upkeep: Upkeep, now: () => number): [string, () => Promise<void>] {
    const due = new DueUpkeep(upkeep, now);
    const work = async () => {
      const said = await due.doIfDue();
      // The current report: that of the round in which this work began may have been handed out already.
      this.#report.upkeep.push(...said);
    };
    return [upkeep.name, work];
  }

  /** Ticks until the signal aborts, then waits for what is under way. Rejects only with an error that `onTick` raised. */
  async run({ signal, idleMs = 250, onTick }: WorkerOptions): Promise<void> {
    const ended = new AbortController();
    const overdue = delayedAbort(signal, WORK_MS);
    const present = tellPresence(this.#presence, ended.signal, (problem) =>
      this.#report.problems.push(problem),
    );
    // At its start the worker reconciles first, since a restart of the machine ends servers and routers.
    this.#reconciledAt = -Infinity;
    void this.#startReconciling(overdue);
    try {
      while (!signal.aborted) {
        const isMoreDue = await this.#lookAtRollouts(PATIENCE_MS);
        await this.#unfinished.start({ patience: signal, until: overdue });
        for (const [name, work] of this.#tasks) void this.#startBeside(name, work);
        void this.#startReconciling(overdue);
        onTick?.(this.#takeReport());
        await delay(isMoreDue ? 0 : idleMs, undefined, { signal }).catch(ignoreAbort);
      }
    } finally {
      await Promise.all([this.#looks.settled(), this.#unfinished.settled(), ...this.#beside.values()]);
      await this.#notices.settled();
      ended.abort();
      await present;
    }
    onTick?.(this.#takeReport());
  }

  /** One round over everything that is due, to its end. A part that fails is named and does not stop the others. */
  async tick(): Promise<TickReport> {
    await this.#lookAtRollouts(0);
    await this.#looks.settled();
    await this.#unfinished.start({ oneByOne: true });
    for (const [name, work] of this.#tasks) await this.#startBeside(name, work);
    await this.#startReconciling();
    await this.#notices.settled();
    return this.#takeReport();
  }

  async #lookAtRollouts(patienceMs: number): Promise<boolean> {
    let isMoreDue = false;
    await this.#attempt("rollouts", async () => {
      isMoreDue = await this.#looks.round(patienceMs);
    });
    return isMoreDue;
  }

  #replaceReport(): TickReport {
    const report = this.#report;
    this.#report = emptyReport();
    return report;
  }

  #takeReport(): TickReport {
    const report = this.#replaceReport();
    const told = this.#throttle.tell(report.problems, this.#capabilities.now());
    this.#notices.note({ ...report, told });
    return { ...report, told };
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
        const limit = { ms: WORK_MS, of: "a look at a rollout" };
        const advance = () => within(limit, (signal) => this.#advance(rollout, now, signal));
        const looked = await inSpan("worker.look", { rollout_id }, advance);
        this.#report.rollouts.push(looked);
      } catch (error) {
        await this.#attempt(rollout_id, release);
        throw error;
      }
    });
  }

  #advance(rollout: Rollout, now: string, signal: AbortSignal): Promise<LookOutcome> {
    const onProblem = (problem: string) => this.#report.problems.push(problem);
    return advanceRollout(this.#capabilities, this.#graph, rollout, now, { signal, onProblem });
  }

  /** Cheap, but not done in every tick, since drift is rare. Rounds may overlap. */
  #startReconciling(until?: AbortSignal): Promise<void> {
    const { reconciler, settings } = this.#capabilities;
    const underWay = [...this.#beside.keys()].filter(isRound).length;
    const now = this.#capabilities.now();
    const isDue = now - this.#reconciledAt >= settings.reconcile_seconds * 1000 || now >= this.#retryAt;
    if (!isDue || underWay >= ROUNDS) return Promise.resolve();
    this.#reconciledAt = now;
    this.#retryAt = Infinity;
    this.#rounds += 1;
    return this.#startBeside(`${ROUND} ${this.#rounds}`, async () => {
      const limit = { ms: settings.long_work_seconds * 1000, of: "a round of reconciliation", until };
      const report = await within(limit, (signal) => reconciler.reconcileSome({ signal }));
      this.#report.reconciliation = report;
      if (report.retry_seconds === null) return;
      this.#retryAt = Math.min(this.#retryAt, this.#capabilities.now() + report.retry_seconds * 1000);
    });
  }
}

function ignoreAbort(error: unknown): void {
  if (!(error instanceof Error) || error.name !== "AbortError") throw error;
}
