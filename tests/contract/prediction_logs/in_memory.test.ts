import { describePredictionLogs } from "../../../src/testing/contracts/prediction_logs_contract.ts";
import { InMemoryPredictionLogs } from "../../../src/testing/in_memory/prediction_logs.ts";

describePredictionLogs("in memory", async () => {
  const logs = new InMemoryPredictionLogs();
  return {
    logs,
    write: async (deploymentId, predictions) => logs.write(deploymentId, ...predictions),
    dispose: async () => undefined,
  };
});
