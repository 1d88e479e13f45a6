import { expect, inject, test } from "vitest";
import { PrometheusMetrics } from "../../../src/mlops/prometheus/prometheus_metrics.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { Application, findPrometheus, startPrometheus } from "../../support/services/prometheus.ts";
import { endpointName } from "../../../src/agents/model_deployer/domain/values/names.ts";
import { deployer, experiment, predict, readyForProduction, toProduction } from "./world.ts";

const prometheus = await findPrometheus(inject("cacheDirectory"));

/** Real MLflow, BentoML, Envoy, Postgres and Redis, and a real Prometheus that reads what the callers count. */
test.skipIf(typeof prometheus === "string")(
  `a version that answers well, and whose answers the callers' application complains of, is sent back${typeof prometheus === "string" ? `: ${prometheus}` : ""}`,
  async () => {
    const { command } = typeof prometheus === "string" ? expect.fail(prometheus) : prometheus;
    const application = new Application();
    const server = await startPrometheus(command, await application.listen());
    deployer.parts.teamMetrics = new PrometheusMetrics({ url: server.url });
    try {
      const old = await toProduction((await readyForProduction("v1")).model_version_id);
      const version = await readyForProduction("v2");
      const of = (name: string) => `sum(increase(${name}{deployment="{{deployment}}"}[{{since}}]))`;
      const complaints = {
        query: of("complaints_total"),
        of: of("answers_total"),
        worse: "higher",
        bound: null,
        worse_by: 0.1,
        every_seconds: 5,
        minimum_windows: 3,
      };
      const rollout = {
        steps: [
          { weight: 50, bake_seconds: 3600 },
          { weight: 100, bake_seconds: 0 },
        ],
        judge: { metrics: { complaints }, maximum_latency_ratio: null },
      };
      const { deployment_id: candidate } = await toProduction(version.model_version_id, { rollout });
      const open = await deployer.database.rollouts.getOpen(endpointName(experiment, "production"));
      const isOver = async () => {
        for (let request = 0; request < 20; request += 1) {
          const { deployment } = await predict(old.endpoint_url ?? "", request);
          application.count(`answers_total{deployment="${deployment}"}`);
          application.count(`complaints_total{deployment="${deployment}"}`, deployment === candidate ? 1 : 0);
        }
        await deployer.worker.tick();
        const { status } = (await deployer.database.rollouts.get(open?.rollout_id ?? "")) ?? {};
        return status !== "running";
      };
      await pollUntil(isOver, { deadlineMs: 600_000, what: "the rollout is over" });
      const ended = await deployer.database.rollouts.get(open?.rollout_id ?? "");
      expect(ended?.status).toBe("rolled_back");
      expect(ended?.verdict?.reason).toMatch(/^the candidate is worse by complaints, beyond doubt/);
      expect(ended?.verdict?.candidate.errors).toBe(0);
    } finally {
      await server.stop();
      await application.close();
    }
  },
);
