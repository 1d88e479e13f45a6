import type { EngineKind } from "../../agents/model_deployer/domain/servers/engines.ts";
import type { ModelPackager } from "../../agents/model_deployer/ports/model_packager_port.ts";
import type { Parts } from "../../agents/model_deployer/ports/parts.ts";
import { BentoMLPredictionLogs } from "../../mlops/bentoml/prediction_logs.ts";
import type { ToolsEnvironment } from "../../platform/python/python_environment.ts";
import type { Configuration } from "../settings/configuration.ts";
import type { EngineSettings } from "../settings/engine_settings.ts";
import { localServer } from "./local_servers.ts";

/** The parts by which one engine serves. */
export type Served = Pick<Parts, "packager" | "server" | "serverUsage" | "rowServers" | "predictionLogs"> &
  Partial<Pick<Parts, "router">>;

interface Needs {
  packager: ModelPackager;
  tools: ToolsEnvironment;
  onProgress?: (line: string) => void;
}

/** Loads an engine that is not this machine's only where it is configured. */
async function servedBy(engine: EngineSettings, configuration: Configuration, needs: Needs): Promise<Served> {
  const { packager, tools } = needs;
  switch (engine.kind) {
    case "kubernetes": {
      const { createKubernetesEngine } = await import("./kubernetes_engine.ts");
      return createKubernetesEngine(configuration, engine, { uv: tools.uv, packager });
    }
    case "bentocloud": {
      const { createBentoCloudEngine } = await import("./bentocloud_engine.ts");
      return createBentoCloudEngine(configuration, engine, { bentoml: tools.bentoml, packager });
    }
    case "local":
      return { packager, ...localServers(configuration, needs) };
    default:
      return engine satisfies never;
  }
}

/** Each engine that is configured, the usual one first. */
export async function servedByEach(
  configuration: Configuration,
  needs: Needs,
): Promise<Map<EngineKind, Served>> {
  const served = new Map<EngineKind, Served>();
  for (const engine of [configuration.engine, ...configuration.otherEngines]) {
    served.set(engine.kind, await servedBy(engine, configuration, needs));
  }
  return served;
}

function localServers(
  configuration: Configuration,
  { tools, onProgress }: Needs,
): Pick<Parts, "server" | "serverUsage" | "rowServers" | "predictionLogs"> {
  const server = localServer(configuration, tools.uv, onProgress === undefined ? {} : { onProgress });
  const predictionLogs = new BentoMLPredictionLogs(server);
  return { server, serverUsage: server, rowServers: server, predictionLogs };
}
