import { createServer, type IncomingMessage } from "node:http";
import { once } from "node:events";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { MLflowClient } from "../../../src/mlops/mlflow/mlflow_client.ts";
import { MLflowRegistry } from "../../../src/mlops/mlflow/mlflow_registry.ts";
import { ModelDeployerAgent } from "../../../src/agents/model_deployer/agent.ts";
import { createCapabilities } from "../../../src/agents/model_deployer/capabilities.ts";
import { createModelDeployerGraph } from "../../../src/agents/model_deployer/graph.ts";
import { createPipelineGraph } from "../../../src/pipeline/pipeline_graph.ts";
import { createTelemetry } from "../../../src/telemetry/telemetry.ts";
import { EXPERIMENT, givenDeployer } from "../../support/given/given_deployer.ts";

const spanSchema = z.object({
  traceId: z.string(),
  spanId: z.string(),
  parentSpanId: z.string().default(""),
  name: z.string(),
  status: z.object({ code: z.int().default(0) }),
});
const exportSchema = z.object({
  resourceSpans: z.array(z.object({ scopeSpans: z.array(z.object({ spans: z.array(spanSchema) })) })),
});

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(z.instanceof(Uint8Array).parse(chunk)));
  return Buffer.concat(chunks).toString();
}

/** A server of the test's own that keeps what it is asked and answers with `answer`. */
async function listening(
  answer: (path: string, body: string, request: IncomingMessage) => { status: number; text: string },
) {
  const server = createServer((request, response) => {
    void bodyOf(request)
      .then((body) => answer(request.url ?? "", body, request))
      .then(({ status, text }) =>
        response.writeHead(status, { "content-type": "application/json" }).end(text),
      );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
}

test("one run of the pipeline is one tree of spans, and MLflow is told which it belongs to", async () => {
  const spans: z.infer<typeof spanSchema>[] = [];
  const otlpEndpoint = await listening((path, body) => {
    expect(path).toBe("/v1/traces");
    const { resourceSpans } = exportSchema.parse(JSON.parse(body));
    spans.push(...resourceSpans.flatMap((one) => one.scopeSpans).flatMap((scope) => scope.spans));
    return { status: 200, text: "{}" };
  });
  const parents: string[] = [];
  const mlflowUrl = await listening((_path, _body, request) => {
    parents.push(String(request.headers["traceparent"]));
    return {
      status: 404,
      text: JSON.stringify({ error_code: "RESOURCE_DOES_NOT_EXIST", message: "no run" }),
    };
  });
  const telemetry = await createTelemetry({
    otlpEndpoint,
    serviceName: "tests",
    logLevel: "silent",
    metricsPort: null,
    bindHost: "127.0.0.1",
  });
  const given = await givenDeployer();
  const client = new MLflowClient({ trackingUri: mlflowUrl });
  const registry = new MLflowRegistry({ client, artifactDirectory: "/nowhere" });
  const { parts, settings } = given.capabilities;
  const graph = createModelDeployerGraph(createCapabilities({ ...parts, registry }, settings));
  const pipeline = createPipelineGraph(new ModelDeployerAgent(graph));
  const input = { deployment_action: "register", experiment_id: EXPERIMENT, mlflow_run_id: "0".repeat(32) };
  const state = await pipeline.invoke(input, { context: { effects: "live" } });
  expect(state.errors).toMatchObject([{ agent_name: "model_deployer", code: "not_found" }]);
  await telemetry.close();

  const agent = spans.find((span) => span.name === "model_deployer") ?? expect.fail("no span of the agent");
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const path = (span: z.infer<typeof spanSchema>): string[] => {
    const parent = byId.get(span.parentSpanId);
    return parent === undefined ? [span.name] : [...path(parent), span.name];
  };
  const tree = spans.filter((span) => span.traceId === agent.traceId).map((span) => path(span).join(" > "));
  expect(tree).toEqual(
    expect.arrayContaining([
      "model_deployer",
      "model_deployer > register.claim",
      "model_deployer > register.plan",
      "model_deployer > register.plan > MLflow GET runs/get",
    ]),
  );
  const asked = spans.find((span) => span.name === "MLflow GET runs/get");
  expect(asked?.status.code).toBe(2);
  expect(parents).toContain(`00-${agent.traceId}-${asked?.spanId}-01`);
  const own = state.spans?.filter((span) => span.agent_name === "model_deployer") ?? [];
  expect(new Set(own.map((span) => span.trace_id))).toEqual(new Set([agent.traceId]));
  expect(own.every((span) => ["ok", "error", "timeout"].includes(span.status))).toBe(true);
});
