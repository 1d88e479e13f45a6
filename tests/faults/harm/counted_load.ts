import { setTimeout as delay } from "node:timers/promises";
import { Agent } from "undici";
import { percentile } from "../../../bench/support/figures.ts";

export interface Counted {
  sent: number;
  answered: number;
  /** The model's own failures, while something of its own was away. */
  failed_by_model: number;
  /** Everything else: refused, cut, answered by the router alone, or by the model with a failure it had no reason for. */
  lost: number;
  p99_ms: number;
  /** Sentences about what was lost, the first few. */
  wrong: string[];
}

interface LoadOptions {
  url: string;
  lanes: number;
  /** Between an answer and the next request of the lane. */
  pauseMs: number;
}

const BODY = JSON.stringify({ entity_id: "e1", features: { x: 1 }, time_horizon: "30d" });
const HEADERS = { "content-type": "application/json" };
/** Only guards against hanging for ever. */
const DEADLINE_MS = 120_000;
const SENTENCES = 5;

/** Callers of one endpoint who count every answer, from `start` until `end`. */
export class CountedLoad {
  readonly #options: LoadOptions;
  readonly #agent = new Agent({
    keepAliveTimeout: 2000,
    headersTimeout: DEADLINE_MS,
    bodyTimeout: DEADLINE_MS,
  });
  readonly #counted = { sent: 0, answered: 0, failed_by_model: 0, lost: 0 };
  readonly #latencies: number[] = [];
  readonly #wrong: string[] = [];
  readonly #excused: { from: number; until: number }[] = [];
  #lanes: Promise<unknown> = Promise.resolve();
  #isOver = false;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  start(): void {
    this.#lanes = Promise.all(Array.from({ length: this.#options.lanes }, () => this.#callOn()));
  }

  /** From now until `modelMayAnswerAgain` the model has a reason to fail. */
  modelMayFail(): void {
    this.#excused.push({ from: performance.now(), until: Infinity });
  }

  modelMayAnswerAgain(): void {
    const last = this.#excused.at(-1);
    if (last !== undefined) last.until = performance.now();
  }

  get answered(): number {
    return this.#counted.answered;
  }

  get sent(): number {
    return this.#counted.sent;
  }

  get lost(): number {
    return this.#counted.lost;
  }

  /** Waits for what is still under way. */
  async end(): Promise<Counted> {
    this.#isOver = true;
    await this.#lanes;
    await this.#agent.close();
    const p99_ms = this.#latencies.length === 0 ? 0 : percentile(this.#latencies, 99);
    return { ...this.#counted, p99_ms, wrong: this.#wrong };
  }

  async #callOn(): Promise<void> {
    while (!this.#isOver) {
      await this.#ask();
      await delay(this.#options.pauseMs);
    }
  }

  async #ask(): Promise<void> {
    const from = performance.now();
    this.#counted.sent += 1;
    try {
      const path = { origin: this.#options.url, path: "/predict", method: "POST" } as const;
      const answer = await this.#agent.request({ ...path, headers: HEADERS, body: BODY });
      const text = await answer.body.text();
      this.#latencies.push(performance.now() - from);
      if (answer.statusCode === 200) this.#counted.answered += 1;
      else if (isTheModels(answer.statusCode, text) && this.#isExcused(from))
        this.#counted.failed_by_model += 1;
      else this.#lose(from, `${answer.statusCode} ${text.slice(0, 160)}`);
    } catch (error) {
      this.#lose(from, String(error));
    }
  }

  #lose(from: number, what: string): void {
    this.#counted.lost += 1;
    const waited = Math.round(performance.now() - from);
    if (this.#wrong.length < SENTENCES) this.#wrong.push(`a caller got ${what} after ${waited} ms`);
  }

  /** A request that was under way at any moment at which the model had a reason. */
  #isExcused(from: number): boolean {
    return this.#excused.some((reason) => from <= reason.until && performance.now() >= reason.from);
  }
}

/**
 * Said by the service itself of its model, of threads that the model's predictions hold, or by whoever waited for a
 * prediction that took longer than any may take.
 */
function isTheModels(status: number, text: string): boolean {
  const isOfTheModel = text.includes("the model failed") || text.includes("prediction threads are taken");
  return status === 504 || (status >= 500 && isOfTheModel);
}
