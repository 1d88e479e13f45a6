import type { InstalledEngines } from "../../agents/model_deployer/domain/servers/engines.ts";
import type { EndpointIngress } from "../../agents/model_deployer/ports/ingress_ports.ts";
import type { Endpoints } from "../../agents/model_deployer/ports/stores/entity_stores.ts";
import type { TrafficRouter } from "../../agents/model_deployer/ports/traffic_router_port.ts";
import {
  IngressOfEngines,
  RoutersOfEndpoints,
  RoutersOfEngines,
} from "../../mlops/engines/routers_of_engines.ts";

/**
 * The router of all endpoints where there is one, which is that of the cluster where each engine has it; else both behind
 * one, and each endpoint stays at its own.
 * @param inCluster null where the routers of each engine run beside the worker
 */
export function routersOf(
  beside: TrafficRouter & EndpointIngress,
  inCluster: TrafficRouter | null,
  installed: InstalledEngines,
  { endpoints }: { endpoints: Pick<Endpoints, "get"> },
): { router: TrafficRouter; ingress?: EndpointIngress } {
  if (inCluster === null) return { router: beside, ingress: beside };
  if (!Object.values(installed.routers).includes("worker")) return { router: inCluster };
  const routed = new RoutersOfEndpoints(installed, endpoints);
  return {
    router: new RoutersOfEngines(routed, { beside, inCluster }),
    ingress: new IngressOfEngines(routed, beside),
  };
}
