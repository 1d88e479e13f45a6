import { createServer } from "node:http";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import type { Figures } from "../../../src/database/repositories/reading/worker_figures.ts";
import { createWorkerMetrics } from "../../../src/telemetry/metrics.ts";
import { serveMetrics } from "../../../src/telemetry/metrics_server.ts";
import { createTelemetry } from "../../../src/telemetry/telemetry.ts";
import { createTestDeployer, deployState, pipelineIds, seedVersion } from "../../../src/testing/index.ts";

const figures: Figures = {
  rollouts: [{ labels: ["running"], count: 2 }],
  verdicts: [{ labels: ["pass"], count: 1 }],
  operations: [{ labels: ["deploy", "failed"], count: 3 }],
  outbox: [{ labels: ["registry_projection"], count: 4 }],
  lag_seconds: 1.5,
  unobserved_endpoints: 1,
};
const report = {
  rollouts: [{ rollout_id: "rollout_1", advance: "hold" as const, reason: "too early" }],
  resumed: [
    { operation_id: "op_1", action: "deploy", outcome: "undone" as const, reason: "the router refused it" },
  ],
  progress: [],
  upkeep: [],
  drained: ["deploy_1"],
  reconciliation: {
    checked: { endpoints: 1, servers: 1, versions: 1 },
    findings: [
      {
        part: "router" as const,
        subject: "e2i_remission",
        found: "generation 1",
        wanted: "generation 2",
        outcome: "repaired" as const,
        why: null,
      },
    ],
    in_use: [],
    unchecked: [],
    retry_seconds: null,
  },
  shortages: [],
  problems: ["outbox: MLflow is away", "op_2: Postgres is away", "e2i_remission: no figures"],
  told: { problems: [], lasting: [], recovered: [] },
};

test("Prometheus gets what the database says and what this worker did", async () => {
  const metrics = await createWorkerMetrics(async () => figures);
  metrics.record(report);
  const server = await serveMetrics(metrics, 0, "127.0.0.1");
  onTestFinished(() => server.close());
  const answer = await fetch(server.url);
  expect(answer.headers.get("content-type")).toContain("text/plain");
  const text = await answer.text();
  for (const line of [
    "model_deployer_up 1",
    'model_deployer_rollouts{status="running"} 2',
    'model_deployer_rollout_verdicts{outcome="pass"} 1',
    'model_deployer_operations{action="deploy",status="failed"} 3',
    'model_deployer_outbox_backlog{topic="registry_projection"} 4',
    "model_deployer_tick_lag_seconds 1.5",
    "model_deployer_unobserved_endpoints 1",
    "model_deployer_ticks_total 1",
    'model_deployer_looks_total{advance="hold"} 1',
    'model_deployer_resumed_total{outcome="undone"} 1',
    'model_deployer_drift_findings_total{part="router",outcome="repaired"} 1',
    "model_deployer_drained_total 1",
    'model_deployer_problems_total{part="outbox"} 1',
    'model_deployer_problems_total{part="operation"} 1',
    'model_deployer_problems_total{part="endpoint"} 1',
  ]) {
    expect(text.split("\n")).toContain(line);
  }
  expect((await fetch(server.url.replace("/metrics", "/healthz"))).status).toBe(200);
  expect((await fetch(server.url.replace("/metrics", "/other"))).status).toBe(404);
});

test("each part that an answer went on without is counted, as often as the answer names it", async () => {
  const telemetry = await createTelemetry({
    otlpEndpoint: null,
    serviceName: "tests",
    logLevel: "silent",
    metricsPort: 0,
    bindHost: "127.0.0.1",
  });
  const observation = await telemetry.observeWorker(async () => figures);
  onTestFinished(() => observation.close());
  const counted = async () => {
    const text = await (await fetch(observation.metricsUrl ?? expect.fail("nothing is served"))).text();
    return text.split("\n").filter((line) => line.startsWith("model_deployer_degraded_total"));
  };
  const deployer = await createTestDeployer();
  await seedVersion(deployer, { model_version_id: "mv_1", stage: "staging" });
  expect(await counted()).toEqual([]);
  deployer.workingMemory.down();
  deployer.episodicMemory.down();
  const request = { ...deployState({ model_version_id: "mv_1" }), ...pipelineIds };
  const { degraded } = await deployer.agent.execute(request);
  expect(degraded).toHaveLength(2);
  expect((await counted()).toSorted()).toEqual([
    'model_deployer_degraded_total{part="episodic_memory"} 1',
    'model_deployer_degraded_total{part="working_memory"} 1',
  ]);
});

test("a database that is away shows as that, and nothing that it said before is repeated", async () => {
  let isAway = false;
  const metrics = await createWorkerMetrics(async () =>
    isAway ? Promise.reject(new TypeError("away")) : figures,
  );
  await metrics.render();
  isAway = true;
  metrics.record(report);
  const { text } = await metrics.render();
  expect(text).toContain("model_deployer_up 0");
  expect(text).toContain("model_deployer_ticks_total 1");
  expect(text).not.toContain('model_deployer_rollouts{status="running"}');
});

test("a port that is taken is refused with the variable to set", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  onTestFinished(() => void taken.close());
  const address = taken.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const metrics = await createWorkerMetrics(async () => figures);
  await expect(serveMetrics(metrics, port, "127.0.0.1")).rejects.toThrow(/MODEL_DEPLOYER_METRICS_PORT/);
});
