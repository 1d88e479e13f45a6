import { publishDegraded } from "../../agents/base/diagnostics.ts";
import type { EngineKind, InstalledEngines } from "../../agents/model_deployer/domain/servers/engines.ts";
import type { Deployments } from "../../agents/model_deployer/ports/stores/entity_stores.ts";
import type { Parts } from "../../agents/model_deployer/ports/parts.ts";
import type { ModelPackager } from "../../agents/model_deployer/ports/model_packager_port.ts";
import { ByEngine, EnginesOfDeployments } from "../../mlops/engines/by_engine.ts";
import {
  PredictionLogsOfEngines,
  RowServersOfEngines,
  UsageOfEngines,
} from "../../mlops/engines/evidence_of_engines.ts";
import { PackagerOfEngines } from "../../mlops/engines/packager_of_engines.ts";
import { ServersOfEngines } from "../../mlops/engines/servers_of_engines.ts";
import type { Served } from "./served_by.ts";

/**
 * One server, packager and log of all engines, by which each deployment is on the engine that it was made on. With one
 * engine too: a deployment of another one that is no longer configured is then refused, and not started anew on this one.
 */
export function ofEngines(
  served: ReadonlyMap<EngineKind, Served>,
  store: ModelPackager,
  installed: InstalledEngines,
  { deployments }: { deployments: Pick<Deployments, "get"> },
): Pick<Parts, "packager" | "server" | "serverUsage" | "rowServers" | "predictionLogs"> {
  const engines = new EnginesOfDeployments(installed, deployments);
  const each = <T>(partOf: (one: Served) => T | undefined) => {
    const parts = [...served].flatMap(([engine, one]): [EngineKind, T][] => {
      const part = partOf(one);
      return part === undefined ? [] : [[engine, part]];
    });
    return new ByEngine<T>(new Map(parts), engines);
  };
  const usage = each((one) => one.serverUsage);
  const rows = each((one) => one.rowServers);
  const onSilent = (engine: EngineKind, { message }: Error) => {
    publishDegraded({ part: engine, message: `the servers of ${engine} are not listed: ${message}` });
  };
  return {
    packager: new PackagerOfEngines(
      store,
      each((one) => one.packager),
    ),
    server: new ServersOfEngines(
      each((one) => one.server),
      { onSilent },
    ),
    predictionLogs: new PredictionLogsOfEngines(each((one) => one.predictionLogs)),
    ...(usage.parts.size > 0 && { serverUsage: new UsageOfEngines(usage) }),
    ...(rows.parts.size > 0 && { rowServers: new RowServersOfEngines(rows) }),
  };
}
