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

const TIMEOUT_MS = 5000;

/** Callers of an endpoint at a steady rate, whatever the answers: what prediction_synthesizer would send. */
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
  readonly #perSecond: number;
  readonly #open = new Set<Promise<void>>();
  readonly #stopped = new AbortController();
  #rows: FeatureRow[];
  #running: Promise<void> | null = null;

  constructor(endpointUrl: string, options: { perSecond: number; rows: FeatureRow[] }) {
    this.#pool = new Pool(endpointUrl, {
      connections: 32,
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
    });
    this.#perSecond = options.perSecond;
    this.#rows = options.rows;
  }

  start(): void {
    this.#running ??= this.#loop();
  }

  /** From now on callers ask about these. */
  askAbout(rows: FeatureRow[]): void {
    this.#rows = rows;
  }

  /** Ends after the requests that are under way. Idempotent. */
  async stop(): Promise<void> {
    if (this.#stopped.signal.aborted) return;
    this.#stopped.abort();
    await this.#running;
    await Promise.all(this.#open);
    await this.#pool.close();
  }

  async #loop(): Promise<void> {
    const { signal } = this.#stopped;
    const begun = performance.now();
    while (!signal.aborted) {
      const due = Math.floor(((performance.now() - begun) / 1000) * this.#perSecond);
      while (this.counts.sent < due && !signal.aborted) this.#send();
      await delay(10, undefined, { signal }).catch(() => undefined);
    }
  }

  #send(): void {
    const features = this.#rows[this.counts.sent % this.#rows.length] ?? {};
    this.counts.sent += 1;
    const body = JSON.stringify({
      entity_id: `patient_${this.counts.sent}`,
      features,
      time_horizon: "30d",
      return_proba: true,
    });
    const request = this.#pool
      .request({ method: "POST", path: "/predict", headers: { "content-type": "application/json" }, body })
      .then(async ({ statusCode, headers, body: answer }) => {
        await answer.dump();
        this.#count(statusCode, headers["x-deployment-id"]);
      })
      .catch(() => {
        this.counts.lost += 1;
      })
      .finally(() => this.#open.delete(request));
    this.#open.add(request);
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
