import type { Route } from "../../../agents/model_deployer/domain/traffic/rollout.ts";
import type { CallOptions } from "../../../agents/model_deployer/ports/call_options.ts";
import type {
  ServerAddress,
  TrafficRouter,
} from "../../../agents/model_deployer/ports/traffic_router_port.ts";

/** The suite's needs besides the port: servers that answer, callers, and a crash. */
export interface TrafficRouterHarness {
  router: TrafficRouter;
  /** A server of this deployment that answers every request with this status. */
  startServer: (deploymentId: string, status: number) => Promise<ServerAddress>;
  /** Sends this many requests to the endpoint, one after another; all of them have to be answered. */
  sendRequests: (endpointName: string, endpointUrl: string, count: number) => Promise<void>;
  /** Ends the endpoint's listener as a crash does. */
  crash: (endpointName: string) => Promise<void>;
  dispose: () => Promise<void>;
}

/** A test with a harness of its own. */
export type Within = (test: (harness: TrafficRouterHarness) => Promise<void>) => () => Promise<void>;

export const options: CallOptions = { signal: new AbortController().signal };
export const endpoint_name = "churn";

export function route(generation: number, weights: Route["weights"], mirror: string | null = null): Route {
  return { endpoint_name, generation, weights, mirror_deployment_id: mirror };
}
