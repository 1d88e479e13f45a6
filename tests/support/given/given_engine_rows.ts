import type {
  EngineKind,
  InstalledEngines,
} from "../../../src/agents/model_deployer/domain/servers/engines.ts";
import { EnginesOfDeployments } from "../../../src/mlops/engines/by_engine.ts";
import { aDeployment } from "./given_facts.ts";

/** Which deployments were made on which engine, as rows would say; whatever is not named has no row. */
export function enginesFrom(
  installed: InstalledEngines,
  engineOf: (deploymentId: string) => EngineKind | null,
): EnginesOfDeployments {
  return new EnginesOfDeployments(installed, {
    get: async (deployment_id) => {
      const engine = engineOf(deployment_id);
      return engine === null ? null : aDeployment(1, { deployment_id, engine });
    },
  });
}
