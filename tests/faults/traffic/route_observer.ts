import { setTimeout as delay } from "node:timers/promises";
import type { TrafficRouter } from "../../../src/agents/model_deployer/ports/traffic_router_port.ts";
import type { TrafficLedger } from "./ledger.ts";

const PAUSE_MS = 10;

/** Asks the router again and again what it does, and compares the answer with what was published and acknowledged. */
export class RouteObserver {
  readonly #router: TrafficRouter;
  readonly #endpoint: string;
  readonly #ledger: TrafficLedger;
  readonly #wrong: { at: number; what: string }[] = [];
  #looks = 0;
  #isOver = false;
  #running: Promise<void> = Promise.resolve();

  constructor(router: TrafficRouter, endpoint: string, ledger: TrafficLedger) {
    this.#router = router;
    this.#endpoint = endpoint;
    this.#ledger = ledger;
  }

  start(): void {
    this.#running = this.#observe();
  }

  async end(): Promise<{ looks: number; wrong: { at: number; what: string }[] }> {
    this.#isOver = true;
    await this.#running;
    return { looks: this.#looks, wrong: this.#wrong };
  }

  async #observe(): Promise<void> {
    while (!this.#isOver) {
      const windows = this.#ledger.read("windows");
      const wrong = await this.#look().catch(
        (error: unknown) => `the route could not be observed: ${String(error)}`,
      );
      // A listener that is closed meanwhile need not answer.
      const wasOpen = windows % 2 === 0 && windows === this.#ledger.read("windows");
      if (wrong !== null && wasOpen) this.#wrong.push({ at: this.#ledger.read("switches"), what: wrong });
      await delay(PAUSE_MS);
    }
  }

  async #look(): Promise<string | null> {
    const acknowledged = this.#ledger.read("acknowledged");
    const route = await this.#router.observe(this.#endpoint, { signal: AbortSignal.timeout(10_000) });
    if (route === null) return "no listener was observed";
    this.#looks += 1;
    const { generation, weights } = route;
    const sum = Object.values(weights).reduce((total, weight) => total + weight, 0);
    if (sum !== 100) return `weights sum to ${sum} at generation ${generation}`;
    if (generation < acknowledged || generation > this.#ledger.read("published")) {
      return `generation ${generation} was observed after ${acknowledged} was acknowledged`;
    }
    const differs = Object.entries(weights).some(
      ([name, weight]) => this.#ledger.weightOf(generation, name) !== weight,
    );
    return differs ? `generation ${generation} was observed with ${JSON.stringify(weights)}` : null;
  }
}
