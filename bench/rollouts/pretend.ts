import {
  LATENCY_BOUNDS_MS,
  type VersionFigures,
} from "../../src/agents/model_deployer/domain/evidence/figures.ts";
import type { Route } from "../../src/agents/model_deployer/domain/traffic/rollout.ts";
import type {
  ModelServer,
  ServerObservation,
} from "../../src/agents/model_deployer/ports/model_server_port.ts";
import type { TrafficRouter } from "../../src/agents/model_deployer/ports/traffic_router_port.ts";

const host = "127.0.0.1";

/** Every server is ready, with the tag that the seed gives every deployment. */
export class PretendServer implements ModelServer {
  async start(): ReturnType<ModelServer["start"]> {
    return { host, port: 1, isolation: "none" };
  }

  async stop(): Promise<void> {
    await Promise.resolve();
  }

  async observe(): Promise<ServerObservation> {
    return { state: "ready", host, port: 1, bento_tag: "e2i_bench:v1" };
  }

  /** Nothing is deployed here whose server another one could take over. */
  async handOver(): Promise<boolean> {
    return false;
  }

  async list(): Promise<string[]> {
    return [];
  }
}

/** Of the rollouts that move, one in so many goes back. */
const ONE_BAD_IN = 4;

/**
 * Every endpoint has answered a hundred requests a second since the bench began, without a failure. The candidates of the
 * first `moving` have as many of their own, enough for a step at each look, and one in four of them fails every other one.
 */
export class PretendRouter implements TrafficRouter {
  readonly #begun = performance.now();
  readonly #moving: number;

  constructor(moving: number) {
    this.#moving = moving;
  }

  async open(): Promise<{ endpoint_url: string }> {
    return { endpoint_url: `http://${host}:1` };
  }

  async apply(route: Route): Promise<Route> {
    return route;
  }

  async observe(): Promise<Route | null> {
    return null;
  }

  async figures(endpointName: string): Promise<VersionFigures[]> {
    const seconds = (performance.now() - this.#begun) / 1000;
    const of = (deployment_id: string, requests: number, errors = 0): VersionFigures => ({
      deployment_id,
      epoch: "1",
      requests,
      errors,
      p50_ms: 5,
      p99_ms: 9,
      latency_counts: LATENCY_BOUNDS_MS.map((bound) => (bound === 10 ? requests : 0)),
    });
    const number = Number(endpointName.slice("endpoint_".length));
    const isMoving = number <= this.#moving;
    const answered = Math.floor(seconds * (isMoving ? 100 : 10));
    const failed = isMoving && number % ONE_BAD_IN === 0 ? Math.floor(answered / 2) : 0;
    return [of(`old_${number}`, Math.floor(seconds * 90)), of(`new_${number}`, answered, failed)];
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }
}
