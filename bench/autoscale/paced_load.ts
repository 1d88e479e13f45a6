import { setTimeout as delay } from "node:timers/promises";
import { Pool } from "undici";

export interface Answered {
  answered: number;
  lost: number;
}

/** Callers at a rate that can be changed while they ask; no more than this many requests are under way at once. */
export class PacedLoad {
  readonly #pool: Pool;
  readonly #body: string;
  readonly #most: number;
  readonly #underWay = new Set<Promise<void>>();
  #perSecond = 0;
  #isOver = false;
  readonly #counts: Answered = { answered: 0, lost: 0 };
  readonly #asking: Promise<void>;

  constructor(url: string, body: unknown, most = 64) {
    this.#pool = new Pool(url, { connections: most });
    this.#body = JSON.stringify(body);
    this.#most = most;
    this.#asking = this.#ask();
  }

  set perSecond(rate: number) {
    this.#perSecond = rate;
  }

  /** Since the last time. */
  take(): Answered {
    const taken = { ...this.#counts };
    Object.assign(this.#counts, { answered: 0, lost: 0 });
    return taken;
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#asking;
    await Promise.all(this.#underWay);
    await this.#pool.close();
  }

  async #ask(): Promise<void> {
    while (!this.#isOver) {
      if (this.#perSecond > 0 && this.#underWay.size < this.#most) {
        const one = this.#one().finally(() => this.#underWay.delete(one));
        this.#underWay.add(one);
      }
      await delay(this.#perSecond > 0 ? 1000 / this.#perSecond : 100);
    }
  }

  async #one(): Promise<void> {
    try {
      const headers = { "content-type": "application/json" };
      const path = "/invocations";
      const { statusCode, body } = await this.#pool.request({
        method: "POST",
        path,
        headers,
        body: this.#body,
      });
      await body.dump();
      if (statusCode === 200) this.#counts.answered += 1;
      else this.#counts.lost += 1;
    } catch {
      this.#counts.lost += 1;
    }
  }
}
