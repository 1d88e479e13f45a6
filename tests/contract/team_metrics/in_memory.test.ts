import { describeTeamMetrics } from "../../../src/testing/contracts/team_metrics_contract.ts";
import { InMemoryTeamMetrics } from "../../../src/testing/in_memory/metrics_server.ts";

describeTeamMetrics("in memory", async () => {
  const metrics = new InMemoryTeamMetrics();
  const answers: Record<string, number[]> = { one: [3], two: [1, 2], nan: [Number.NaN] };
  metrics.answer((query) => answers[query] ?? []);
  return {
    metrics,
    queries: { one: "one", none: "none", two: "two", notANumber: "nan", malformed: "sum(" },
    value: 3,
    dispose: async () => undefined,
  };
});
