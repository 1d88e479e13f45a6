import { join } from "node:path";
import type { EngineKind } from "../../agents/model_deployer/domain/servers/engines.ts";
import type { EndpointIngress } from "../../agents/model_deployer/ports/ingress_ports.ts";
import type { ModelServer, SamplePredictions } from "../../agents/model_deployer/ports/model_server_port.ts";
import type { RowServers } from "../../agents/model_deployer/ports/evidence/row_ports.ts";
import type { TrafficRouter } from "../../agents/model_deployer/ports/traffic_router_port.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import { BentoMLServer } from "../../mlops/bentoml/server.ts";
import { ByEngine, EnginesOfDeployments } from "../../mlops/engines/by_engine.ts";
import { RowServersOfEngines } from "../../mlops/engines/evidence_of_engines.ts";
import { ObservedServersOfEngines } from "../../mlops/engines/servers_of_engines.ts";
import { EnvoyRouter } from "../../mlops/envoy/envoy_router.ts";
import type { Configuration } from "../settings/configuration.ts";
import type { EngineSettings } from "../settings/engine_settings.ts";
import { installedEngines } from "./installed_engines.ts";
import { routersOf } from "./engine_routers.ts";

/** Servers and routers as observers ask them; they start and change none. */
export interface ObservedEngines {
  server: Pick<ModelServer, "observe"> & SamplePredictions;
  router: Pick<TrafficRouter, "observe">;
  /** Null where the router lets everybody in. */
  ingress: EndpointIngress | null;
  /** Null where no engine keeps rows. */
  rowServers: RowServers | null;
  /** The engines that do. */
  rowsKeptOn: readonly EngineKind[];
}

interface Observed {
  server: ObservedEngines["server"];
  router?: TrafficRouter | null;
  rowServers?: RowServers;
}

export async function observedEngines(
  configuration: Configuration,
  database: Pick<DeployerDatabase, "ingressPolicies" | "deployments" | "endpoints">,
): Promise<ObservedEngines> {
  const { engine, otherEngines, home } = configuration;
  const ingressOf = (name: string) => database.ingressPolicies.wanted(name);
  const beside = new EnvoyRouter({ home, envoyPath: null, ingressOf });
  const observed = new Map<EngineKind, Observed>();
  for (const one of [engine, ...otherEngines]) observed.set(one.kind, await observedOn(one, configuration));
  const installed = installedEngines(configuration);
  const engines = new EnginesOfDeployments(installed, database.deployments);
  const servers = new Map([...observed].map(([kind, { server }]) => [kind, server]));
  const rows = [...observed].flatMap(([kind, { rowServers }]): [EngineKind, RowServers][] =>
    rowServers === undefined ? [] : [[kind, rowServers]],
  );
  const inCluster = observed.get("kubernetes")?.router ?? null;
  const { router, ingress } = routersOf(beside, inCluster, installed, database);
  return {
    server: new ObservedServersOfEngines(new ByEngine(servers, engines)),
    router,
    ingress: ingress ?? null,
    rowsKeptOn: rows.map(([kind]) => kind),
    rowServers: rows.length === 0 ? null : new RowServersOfEngines(new ByEngine(new Map(rows), engines)),
  };
}

async function observedOn(engine: EngineSettings, configuration: Configuration): Promise<Observed> {
  switch (engine.kind) {
    case "kubernetes": {
      const { observeKubernetes } = await import("./kubernetes_engine.ts");
      return observeKubernetes(configuration, engine);
    }
    case "bentocloud": {
      const { observeBentoCloud } = await import("./bentocloud_engine.ts");
      return { server: observeBentoCloud(configuration, engine) };
    }
    case "local": {
      const { home, cache } = configuration;
      const runDirectory = join(home, "run");
      const local = { home: join(home, "bentoml"), runDirectory, cacheDirectory: cache, uv: "uv" };
      const server = new BentoMLServer(local);
      return { server, rowServers: server };
    }
    default:
      return engine satisfies never;
  }
}
