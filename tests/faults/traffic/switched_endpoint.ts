import { isDeepStrictEqual } from "node:util";
import type { WeightSet } from "../../../src/agents/model_deployer/domain/entities.ts";
import type { Route } from "../../../src/agents/model_deployer/domain/traffic/rollout.ts";
import { ConflictError, ServiceRefusedError } from "../../../src/agents/model_deployer/errors.ts";
import type { TrafficRouter } from "../../../src/agents/model_deployer/ports/traffic_router_port.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { type Draw, drawIdle, drawing, drawWeights, pick } from "./drawn_switch.ts";
import type { TrafficLedger } from "./ledger.ts";
import { NamedUpstreams } from "./named_upstreams.ts";
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
  readonly #upstreams: NamedUpstreams;
  #route: Route;

  constructor(parts: SwitchedParts) {
    this.#parts = parts;
    this.#upstreams = new NamedUpstreams(parts.upstreams);
    this.#route = { endpoint_name: parts.name, generation: 0, weights: {}, mirror_deployment_id: null };
  }

  async open(): Promise<string> {
    const { endpoint_url } = await this.#parts.router.open(this.#parts.name, options());
    for (let count = 0; count < LIVING; count += 1) await this.#upstreams.startNew();
    await this.#switchTo({ u0: 100 }, null);
    return endpoint_url;
  }

  /** @returns what the router should say that it does, now that the switch is done */
  async carryOut({ kind, draws }: Switch): Promise<Route> {
    const next = drawing(draws);
    switch (kind) {
      case "weights":
        await this.#weigh(next);
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
        await Promise.all([this.#applyStale(), this.#weigh(next)]);
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

  async #weigh(next: ReturnType<typeof drawing>): Promise<void> {
    await this.#switchTo(this.#drawWeights(next), this.#route.mirror_deployment_id);
  }

  #drawWeights(next: ReturnType<typeof drawing>): Route["weights"] {
    return drawWeights(this.#upstreams.names, this.#mirror, next);
  }

  async #mirrorToTheDying(name: string): Promise<void> {
    await this.#switchTo(this.#route.weights, name);
    await this.#killQuietly(name);
    await this.#meanwhile();
    await this.#switchTo(this.#route.weights, null);
    await this.#upstreams.start(name);
  }

  async #moveAndWeigh(name: string, next: Draw): Promise<void> {
    await this.#killQuietly(name);
    await this.#upstreams.start(name);
    await this.#meanwhile();
    const share = 1 + (next() % 99);
    const [heir = name] = this.#weighted;
    await this.#switchTo({ [heir]: 100 - share, [name]: share }, this.#route.mirror_deployment_id);
  }

  async #follow(name: string): Promise<void> {
    const former = this.#upstreams.portOf(name);
    await this.#upstreams.start(name);
    await this.#parts.router.apply(this.#route, this.#upstreams.addresses(), options());
    await this.#quiet();
    await this.#parts.upstreams.kill(former);
  }

  async #replace(next: Draw): Promise<void> {
    const gone = pick(this.#weighted, next);
    const name = await this.#upstreams.startNewInPlace();
    const { [gone]: freed = 0, ...rest } = this.#route.weights;
    await this.#switchTo({ ...rest, [name]: freed }, this.#mirror);
    await this.#killQuietly(gone);
    this.#upstreams.forget(gone);
  }

  /** Its weights differ, so that it would be seen; whoever comes late is told what is in force, or that it lost. */
  async #applyStale(): Promise<void> {
    const stale = { ...this.#route, weights: { [this.#drawIdle(() => 0)]: 100 }, mirror_deployment_id: null };
    await lostOr(this.#parts.other.apply(stale, this.#upstreams.addresses(), options()));
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
      lostOr(router.apply(loser, this.#upstreams.addresses(), options())),
      other.apply(winner, this.#upstreams.addresses(), options()),
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
    const applied = await router.apply(route, this.#upstreams.addresses(), options());
    if (!isDeepStrictEqual(applied, route)) {
      throw new ServiceRefusedError(
        "router",
        `${JSON.stringify(applied)} is in force, not ${JSON.stringify(route)}`,
      );
    }
    ledger.acknowledge(route.generation);
  }

  /** It has no weight by now; what was sent to it before has its answer first. */
  async #killQuietly(name: string): Promise<void> {
    await this.#quiet();
    await this.#upstreams.kill(name);
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

  get #mirror(): string | null {
    return this.#route.mirror_deployment_id;
  }

  /** One that lives and has neither weight nor the mirror. */
  #drawIdle(next: Draw): string {
    return drawIdle(this.#upstreams.names, [...this.#weighted, this.#mirror], next);
  }

  get #weighted(): string[] {
    return Object.entries(this.#route.weights).flatMap(([name, weight]) => (weight > 0 ? [name] : []));
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
