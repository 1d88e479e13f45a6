import { setTimeout as delay } from "node:timers/promises";
import { Pool } from "undici";

export type FeatureRow = Record<string, number>;

export interface LoadCounts {
  sent: number;
  answered: number;
  /** No answer came: refused, reset or timed out. */
  lost: number;
  /** Answered 503 because no version was in production yet. */
  without_version: number;
  /** Answered 5xx by a version. */
  failed: number;
  by_deployment: Record<string, number>;
}

/** Only guards against hanging. */
const TIMEOUT_MS = 120_000;

/**
 * Callers of an endpoint, each of whom asks again a moment after the answer: what prediction_synthesizer would send. On a
 * slow machine they ask less often.
 */
export class Load {
  readonly counts: LoadCounts = {
    sent: 0,
    answered: 0,
    lost: 0,
    without_version: 0,
    failed: 0,
    by_deployment: {},
  };
  readonly #pool: Pool;
  readonly #callers: number;
  readonly #pauseMs: number;
  #rows: FeatureRow[];
  #under: { stopped: AbortController; callers: Promise<void>[] } | null = null;

  constructor(endpointUrl: string, options: { callers: number; pauseMs: number; rows: FeatureRow[] }) {
    const timeouts = { headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS };
    this.#pool = new Pool(endpointUrl, { connections: options.callers, ...timeouts });
    this.#callers = options.callers;
    this.#pauseMs = options.pauseMs;
    this.#rows = options.rows;
  }

  start(): void {
    if (this.#under !== null) return;
    const stopped = new AbortController();
    const callers = Array.from({ length: this.#callers }, () => this.#ask(stopped.signal));
    this.#under = { stopped, callers };
  }

  /** From now on callers ask about these. */
  askAbout(rows: FeatureRow[]): void {
    this.#rows = rows;
  }

  /** Nobody asks while it is done. */
  async whileQuiet<T>(work: () => Promise<T>): Promise<T> {
    await this.#rest();
    const done = await work();
    this.start();
    return done;
  }

  /** Ends after the requests that are under way. Idempotent. */
  async stop(): Promise<void> {
    await this.#rest();
    if (!this.#pool.closed) await this.#pool.close();
  }

  async #rest(): Promise<void> {
    const under = this.#under;
    this.#under = null;
    under?.stopped.abort();
    await Promise.all(under?.callers ?? []);
  }

  async #ask(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#send();
      await delay(this.#pauseMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #send(): Promise<void> {
    const features = this.#rows[this.counts.sent % this.#rows.length] ?? {};
    this.counts.sent += 1;
    const body = JSON.stringify({
      entity_id: `patient_${this.counts.sent}`,
      features,
      time_horizon: "30d",
      return_proba: true,
    });
    const headers = { "content-type": "application/json" };
    try {
      const answer = await this.#pool.request({ method: "POST", path: "/predict", headers, body });
      await answer.body.dump();
      this.#count(answer.statusCode, answer.headers["x-deployment-id"]);
    } catch {
      this.counts.lost += 1;
    }
  }

  #count(status: number, deployment: string | string[] | undefined): void {
    this.counts.answered += 1;
    if (typeof deployment !== "string" || deployment === "") {
      if (status === 503) this.counts.without_version += 1;
      return;
    }
    if (status >= 500) this.counts.failed += 1;
    this.counts.by_deployment[deployment] = (this.counts.by_deployment[deployment] ?? 0) + 1;
  }
}
