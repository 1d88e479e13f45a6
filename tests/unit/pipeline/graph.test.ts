import { MemorySaver } from "@langchain/langgraph";
import { describe, expect, it } from "vitest";
import { createPipelineGraph } from "../../../src/pipeline/pipeline_graph.ts";
import { ObservabilityConnectorAgent } from "../../../src/pipeline/observability_connector.ts";
import { aManifest, predictionRequest, unreachableDeployer } from "./given.ts";

const pipeline = createPipelineGraph(unreachableDeployer(), { checkpointer: new MemorySaver() });
const onThread = (thread_id: string) => ({ configurable: { thread_id }, context: { effects: "live" } });
const request = {
  deployment_action: "promote",
  model_version_id: "mv_1",
  target_stage: "staging",
  prediction_request: predictionRequest,
};

describe("the pipeline", () => {
  it("has the deployer between its neighbours, with its subgraphs in sight", async () => {
    const { nodes, edges } = await pipeline.getGraphAsync({ xray: true });
    expect(edges.map(({ source, target }) => `${source} > ${target}`)).toContain(
      "__start__ > feature_analyzer",
    );
    expect(Object.keys(nodes)).toEqual(
      expect.arrayContaining(["feature_analyzer", "prediction_synthesizer", "observability_connector"]),
    );
    expect([...pipeline.getSubgraphs()].map(([name]) => name)).toEqual(["model_deployer"]);
  });

  it("goes on with the truth when the deployer fails", async () => {
    const state = await pipeline.invoke(request, onThread("failure"));
    expect(state.status).toBe("failed");
    expect(state.errors).toMatchObject([
      { agent_name: "model_deployer", code: "service_unavailable", retryable: true },
    ]);
    const reason = "No prediction was made: model_deployer failed: Postgres does not answer.";
    expect(state.prediction).toEqual({ outcome: "skipped", reason });
    expect(state.warnings).toContain(reason);
    const counted = state.observability_summary;
    expect(counted?.by_agent["feature_analyzer"]).toEqual({ ok: 1, error: 0, timeout: 0 });
    expect(counted?.by_agent["model_deployer"]?.error).toBeGreaterThan(0);
    expect(counted?.spans).toBe((counted?.by_status.ok ?? 0) + (counted?.by_status.error ?? 0));
  });

  it("raises an invalid request as an entry in errors, without a service", async () => {
    const state = await pipeline.invoke({ deployment_action: "explode" }, onThread("invalid"));
    const expected = { agent_name: "model_deployer", code: "invalid_deployment_action" };
    expect(state.errors).toMatchObject([expected]);
    expect(state.errors?.[0]?.message).toContain('"explode"');
  });

  it("names the deployer's spans after its nodes and hangs each below the one that ran it", async () => {
    const { spans = [] } = await pipeline.invoke(request, onThread("spans"));
    const own = spans.filter((span) => span.agent_name === "model_deployer");
    const below = new Map(own.map((span) => [span.span_id, span.operation]));
    const tree = own.map((span) => [
      span.operation,
      below.get(span.parent_span_id ?? "") ?? null,
      span.status,
    ]);
    expect(tree).toEqual(
      expect.arrayContaining([
        ["validate_request", "model_deployer", "ok"],
        ["promote", "model_deployer", "error"],
        ["model_deployer", null, "error"],
      ]),
    );
    expect(tree.map(([operation]) => operation)).toContain("claim");
  });

  it("takes a field that an earlier answer left at null for one that nobody gave", async () => {
    const { model_version_id: _, ...without } = request;
    const register = { deployment_action: "register", experiment_id: "remission", mlflow_run_id: "run1" };
    const state = await pipeline.invoke(
      { ...without, ...register, model_version_id: null },
      onThread("null"),
    );
    expect(state.errors).toMatchObject([{ code: "service_unavailable" }]);
  });

  it("does not take the manifest of an earlier run for this one's", async () => {
    const earlier = { deployment_manifest: aManifest(), operation_id: "op_1", prediction: null };
    const state = await pipeline.invoke({ ...request, ...earlier }, onThread("earlier"));
    expect(state).toMatchObject({ deployment_manifest: null, operation_id: null });
    expect(state.prediction).toMatchObject({ outcome: "skipped" });
  });
});

describe("observability_connector", () => {
  it("counts nothing where nothing ran", async () => {
    const update = await new ObservabilityConnectorAgent().asNode()({}, {});
    expect(update.observability_summary).toEqual({
      spans: 0,
      by_status: { ok: 0, error: 0, timeout: 0 },
      by_agent: {},
    });
  });

  it("takes no span of a shape that it does not know", async () => {
    const update = await new ObservabilityConnectorAgent().asNode()({ spans: [{ status: "failed" }] }, {});
    expect(update).toMatchObject({
      status: "failed",
      errors: [{ agent_name: "observability_connector", code: "invalid_request" }],
    });
  });
});
