import { isDeepStrictEqual } from "node:util";
import type { WeightSet } from "../../../src/agents/model_deployer/domain/entities.ts";
import type { Route } from "../../../src/agents/model_deployer/domain/rollout.ts";
import { ConflictError, ServiceRefusedError } from "../../../src/agents/model_deployer/errors.ts";
import type { ServerAddress, TrafficRouter } from "../../../src/agents/model_deployer/ports.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import type { TrafficLedger } from "./ledger.ts";
import type { Switch } from "./switch_script.ts";
import type { Upstreams } from "./upstreams.ts";

const LIVING = 5;
const CALL_MS = 30_000;
/** Answers that are waited for while something is amiss, so that it is amiss under load. */
const MEANWHILE = 50;

export interface SwitchedParts {
  name: string;
  router: TrafficRouter;
  /** As another process has it. */
  other: TrafficRouter;
  upstreams: Upstreams;
  ledger: TrafficLedger;
}

const options = () => ({ signal: AbortSignal.timeout(CALL_MS) });

/** One endpoint under load, whose traffic is switched as a script says; the ledger knows each switch before it happens. */
export class SwitchedEndpoint {
  readonly #parts: SwitchedParts;
  readonly #ports = new Map<string, number>();
  readonly #freed: number[] = [];
  #route: Route;
  #named = 0;

  constructor(parts: SwitchedParts) {
    this.#parts = parts;
    this.#route = { endpoint_name: parts.name, generation: 0, weights: {}, mirror_deployment_id: null };
  }

  async open(): Promise<string> {
    const { endpoint_url } = await this.#parts.router.open(this.#parts.name, options());
    for (let count = 0; count < LIVING; count += 1) await this.#startNew(0);
    await this.#switchTo({ u0: 100 }, null);
    return endpoint_url;
  }

  /** @returns what the router should say that it does, now that the switch is done */
  async carryOut({ kind, draws }: Switch): Promise<Route> {
    const next = drawing(draws);
    switch (kind) {
      case "weights":
        await this.#switchTo(this.#drawWeights(next), this.#route.mirror_deployment_id);
        break;
      case "mirror":
        await this.#switchTo(this.#route.weights, this.#mirror === null ? this.#drawIdle(next) : null);
        break;
      case "dying_mirror":
        await this.#mirrorToTheDying(this.#drawIdle(next));
        break;
      case "move":
        await this.#moveAndWeigh(this.#drawIdle(next), next);
        break;
      case "follow":
        await this.#follow(pick(this.#weighted, next));
        break;
      case "replace":
        await this.#replace(next);
        break;
      case "stale":
        await Promise.all([
          this.#applyStale(),
          this.#switchTo(this.#drawWeights(next), this.#route.mirror_deployment_id),
        ]);
        break;
      case "race":
        await this.#race(this.#drawWeights(next), this.#drawWeights(next));
        break;
      case "reopen":
        await this.#reopen();
        break;
      default:
        return kind satisfies never;
    }
    return this.#route;
  }

  // ---------------------------------------------------------------- kinds of switches

  async #mirrorToTheDying(name: string): Promise<void> {
    await this.#switchTo(this.#route.weights, name);
    await this.#killQuietly(name);
    await this.#meanwhile();
    await this.#switchTo(this.#route.weights, null);
    await this.#start(name, 0);
  }

  async #moveAndWeigh(name: string, next: () => number): Promise<void> {
    await this.#killQuietly(name);
    await this.#start(name, 0);
    await this.#meanwhile();
    const share = 1 + (next() % 99);
    const [heir = name] = this.#weighted;
    await this.#switchTo({ [heir]: 100 - share, [name]: share }, this.#route.mirror_deployment_id);
  }

  async #follow(name: string): Promise<void> {
    const former = this.#portOf(name);
    await this.#start(name, 0);
    await this.#parts.router.apply(this.#route, this.#addresses(), options());
    await this.#quiet();
    await this.#parts.upstreams.kill(former);
  }

  async #replace(next: () => number): Promise<void> {
    const gone = pick(this.#weighted, next);
    const name = await this.#startNew(this.#freed.length > 1 ? (this.#freed.shift() ?? 0) : 0);
    const { [gone]: freed = 0, ...rest } = this.#route.weights;
    await this.#switchTo({ ...rest, [name]: freed }, this.#mirror);
    await this.#killQuietly(gone);
    this.#ports.delete(gone);
  }

  /** Its weights differ, so that it would be seen; whoever comes late is told what is in force, or that it lost. */
  async #applyStale(): Promise<void> {
    const stale = { ...this.#route, weights: { [this.#drawIdle(() => 0)]: 100 }, mirror_deployment_id: null };
    await lostOr(this.#parts.other.apply(stale, this.#addresses(), options()));
  }

  async #race(first: WeightSet, second: WeightSet): Promise<void> {
    const { router, other, ledger } = this.#parts;
    const { generation } = this.#route;
    const routes = [first, second].map((weights, index) => ({
      ...this.#route,
      generation: generation + 1 + index,
      weights,
    }));
    for (const route of routes) ledger.publish(route.generation, route.weights);
    const [loser, winner] = routes;
    if (loser === undefined || winner === undefined) return;
    await Promise.all([
      lostOr(router.apply(loser, this.#addresses(), options())),
      other.apply(winner, this.#addresses(), options()),
    ]);
    ledger.acknowledge(winner.generation);
    this.#route = winner;
  }

  async #reopen(): Promise<void> {
    const { router, ledger, name } = this.#parts;
    ledger.add("windows");
    await router.close(name, options());
    await router.open(name, options());
    ledger.add("windows");
  }

  // ---------------------------------------------------------------- what they are made of

  async #switchTo(weights: WeightSet, mirror_deployment_id: string | null): Promise<void> {
    const { router, ledger } = this.#parts;
    const route = { ...this.#route, generation: this.#route.generation + 1, weights, mirror_deployment_id };
    this.#route = route;
    ledger.publish(route.generation, weights);
    const applied = await router.apply(route, this.#addresses(), options());
    if (!isDeepStrictEqual(applied, route)) {
      throw new ServiceRefusedError(
        "router",
        `${JSON.stringify(applied)} is in force, not ${JSON.stringify(route)}`,
      );
    }
    ledger.acknowledge(route.generation);
  }

  async #startNew(port: number): Promise<string> {
    const name = `u${this.#named++}`;
    await this.#start(name, port);
    return name;
  }

  async #start(name: string, port: number): Promise<void> {
    this.#ports.set(name, await this.#parts.upstreams.start(name, port));
  }

  /** It has no weight by now; what was sent to it before has its answer first. */
  async #killQuietly(name: string): Promise<void> {
    await this.#quiet();
    await this.#parts.upstreams.kill(this.#portOf(name));
    this.#freed.push(this.#portOf(name));
  }

  async #quiet(): Promise<void> {
    const { ledger } = this.#parts;
    const epoch = ledger.add("epoch");
    const wait = { deadlineMs: CALL_MS, intervalMs: 2, what: "end of the requests under way" };
    await pollUntil(() => ledger.isPast(epoch), wait);
  }

  async #meanwhile(): Promise<void> {
    const { ledger } = this.#parts;
    const before = ledger.read("answered");
    const wait = { deadlineMs: CALL_MS, intervalMs: 1, what: "answers" };
    await pollUntil(() => ledger.read("answered") >= before + MEANWHILE, wait);
  }

  #addresses(): ServerAddress[] {
    return [...this.#ports].map(([deployment_id, port]) => ({ deployment_id, host: "127.0.0.1", port }));
  }

  #portOf(name: string): number {
    return this.#ports.get(name) ?? 0;
  }

  get #mirror(): string | null {
    return this.#route.mirror_deployment_id;
  }

  get #weighted(): string[] {
    return Object.entries(this.#route.weights).flatMap(([name, weight]) => (weight > 0 ? [name] : []));
  }

  /** One that lives and has neither weight nor the mirror. */
  #drawIdle(next: () => number): string {
    const busy = [...this.#weighted, this.#mirror];
    return pick(
      [...this.#ports.keys()].filter((name) => !busy.includes(name)),
      next,
    );
  }

  /** One to three of those that are not mirrored to; now and then one more, named with weight 0. */
  #drawWeights(next: () => number): WeightSet {
    const free = [...this.#ports.keys()].filter((name) => name !== this.#mirror);
    const first = next() % free.length;
    const turned = [...free.slice(first), ...free.slice(0, first)];
    const cuts = Array.from({ length: next() % 3 }, () => 1 + (next() % 99));
    const bounds = [0, ...new Set(cuts.sort((a, b) => a - b)), 100];
    const shares = bounds.slice(1).map((bound, index) => bound - (bounds[index] ?? 0));
    if (next() % 4 === 0) shares.push(0);
    return Object.fromEntries(shares.map((share, index) => [turned[index] ?? "u0", share]));
  }
}

/** A generation that came too late may be told so. */
async function lostOr(applying: Promise<Route>): Promise<void> {
  try {
    await applying;
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error;
  }
}

function pick(names: readonly string[], next: () => number): string {
  return names[next() % names.length] ?? "u0";
}

function drawing(draws: readonly number[]): () => number {
  let index = 0;
  return () => draws[index++ % draws.length] ?? 0;
}
