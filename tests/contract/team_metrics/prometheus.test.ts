import { createServer } from "node:http";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import {
  InvalidRequestError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../../src/agents/model_deployer/errors.ts";
import { PrometheusMetrics } from "../../../src/mlops/prometheus/prometheus_metrics.ts";
import { findFreePort } from "../../../src/platform/free_port.ts";
import { describeTeamMetrics } from "../../../src/testing/contracts/team_metrics_contract.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import {
  Application,
  findPrometheus,
  type Prometheus,
  startPrometheus,
} from "../../support/services/prometheus.ts";

const found = await findPrometheus(inject("cacheDirectory"));
const options = { signal: new AbortController().signal };
const now = () => new Date().toISOString();

describe.skipIf(typeof found === "string")(
  `a real Prometheus${typeof found === "string" ? `: ${found}` : ""}`,
  () => {
    const application = new Application();
    let prometheus: Prometheus;
    let metrics: PrometheusMetrics;

    beforeAll(async () => {
      const { command } = typeof found === "string" ? expect.fail(found) : found;
      application.count('flagged_total{deployment="d1"}', 3);
      application.count('flagged_total{deployment="d2"}', 5);
      prometheus = await startPrometheus(command, await application.listen());
      metrics = new PrometheusMetrics({ url: prometheus.url });
      const isScraped = async () => "value" in (await metrics.read("sum(flagged_total)", now(), options));
      await pollUntil(isScraped, { deadlineMs: 120_000, what: "Prometheus has read the application" });
    });

    afterAll(async () => {
      await prometheus.stop();
      await application.close();
    });

    describeTeamMetrics("Prometheus", async () => ({
      metrics,
      queries: {
        one: 'flagged_total{deployment="d1"}',
        none: 'flagged_total{deployment="d9"}',
        two: "flagged_total",
        notANumber: "vector(0) / 0",
        malformed: "sum(rate(flagged_total[5m])",
      },
      value: 3,
      dispose: async () => undefined,
    }));

    test("what Prometheus reads and is no one number is refused by its kind, and a scalar is one", async () => {
      await expect(metrics.check("flagged_total[5m]", options)).rejects.toThrow(/gives a matrix/);
      await expect(metrics.check("rate(flagged_total)", options)).rejects.toThrow(InvalidRequestError);
      expect(await metrics.read("1 + 1", now(), options)).toEqual({ value: 2 });
      expect(await metrics.read("1 / 0", now(), options)).toEqual({ problem: "Prometheus gives +Inf" });
    });
  },
);

test("nobody at the address, and somebody who is no Prometheus, are typed errors that name what to check", async () => {
  const nobody = new PrometheusMetrics({ url: `http://127.0.0.1:${await findFreePort()}` });
  await expect(nobody.read("up", now(), options)).rejects.toThrow(ServiceUnavailableError);
  const port = await findFreePort();
  const other = createServer((request, answer) => {
    const status = request.headers.authorization === "Bearer secret" ? 200 : 401;
    answer.writeHead(status).end("<html></html>");
  });
  await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${port}/prefix/`;
  await expect(new PrometheusMetrics({ url }).check("up", options)).rejects.toThrow(/PROMETHEUS_TOKEN/);
  const known = new PrometheusMetrics({ url, token: "secret" });
  await expect(known.check("up", options)).rejects.toThrow(ServiceRefusedError);
  await expect(known.check("up", options)).rejects.toThrow(/PROMETHEUS_URL/);
  other.close();
});

test("a server that says nothing is given up after its limit", async () => {
  const port = await findFreePort();
  const silent = createServer(() => undefined);
  await new Promise<void>((resolve) => silent.listen(port, "127.0.0.1", resolve));
  const metrics = new PrometheusMetrics({ url: `http://127.0.0.1:${port}`, timeoutMs: 100 });
  await expect(metrics.read("up", now(), options)).rejects.toThrow(/no answer within 100 ms/);
  silent.closeAllConnections();
  silent.close();
});
