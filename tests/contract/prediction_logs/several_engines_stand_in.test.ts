import type { EngineKind } from "../../../src/agents/model_deployer/domain/servers/engines.ts";
import { ByEngine } from "../../../src/mlops/engines/by_engine.ts";
import { PredictionLogsOfEngines } from "../../../src/mlops/engines/evidence_of_engines.ts";
import { describePredictionLogs } from "../../../src/testing/contracts/prediction_logs_contract.ts";
import { InMemoryPredictionLogs } from "../../../src/testing/in_memory/prediction_logs.ts";
import { enginesFrom } from "../../support/given/given_engine_rows.ts";
import { LOCAL_AND_CLUSTER } from "../../support/given/given_engines.ts";

describePredictionLogs("several engines, one deployment on each", async () => {
  const [local, cluster] = [new InMemoryPredictionLogs(), new InMemoryPredictionLogs()];
  const logs = new Map<EngineKind, InMemoryPredictionLogs>([
    ["local", local],
    ["kubernetes", cluster],
  ]);
  const engineOf = (id: string) => (id === "d2" ? "kubernetes" : "local");
  return {
    logs: new PredictionLogsOfEngines(new ByEngine(logs, enginesFrom(LOCAL_AND_CLUSTER, engineOf))),
    write: async (deploymentId, predictions) =>
      (deploymentId === "d2" ? cluster : local).write(deploymentId, ...predictions),
    dispose: async () => undefined,
  };
});
