import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { InMemoryWorkingMemory } from "../../../src/testing/in_memory/memories.ts";
import { PredictionSynthesizerAgent } from "../../../src/pipeline/prediction_synthesizer.ts";
import { endpointKeys } from "../../../src/wiring/endpoint_keys.ts";
import { blackHole, json, StubServer, text } from "../mlops/mlflow/stub_server.ts";
import { aManifest, endpointAnswer, predictionRequest } from "./given.ts";

let endpoint: StubServer;
let endpoint_url: string;
const synthesize = new PredictionSynthesizerAgent().asNode();

beforeEach(async () => {
  endpoint = new StubServer();
  endpoint_url = await endpoint.start();
});
afterEach(() => endpoint.stop());

function state(overrides: Record<string, unknown> = {}): Record<string, unknown> {
  const deployment_manifest = aManifest({ endpoint_url });
  return { deployment_manifest, prediction_request: predictionRequest, ...overrides };
}

const asked = () => endpoint.requests.map(({ method, url }) => `${method} ${url}`);

describe("prediction_synthesizer", () => {
  it("asks the endpoint's health and then for a prediction", async () => {
    endpoint.answerInTurn(text("ok"), json(endpointAnswer));
    const update = await synthesize(state(), {});
    expect(update.prediction).toEqual({
      outcome: "predicted",
      endpoint_url,
      deployment_id: null,
      ...endpointAnswer,
    });
    expect(asked()).toEqual(["GET /healthz", "POST /predict"]);
    expect(update.spans.map((span) => [span.agent_name, span.agent_tier, span.operation])).toEqual([
      ["prediction_synthesizer", 4, "predict"],
    ]);
  });

  it("comes with its key to an endpoint of the deployer, and to nobody else", async () => {
    const settings = { endpointKey: "a-key-of-the-pipeline", endpointHost: "models.example.org" };
    const keyFor = endpointKeys({ ...settings, bindHost: "10.0.0.7" });
    endpoint.answerInTurn(text("ok"), json(endpointAnswer));
    await new PredictionSynthesizerAgent(null, keyFor).asNode()(state(), {});
    const bearer = "Bearer a-key-of-the-pipeline";
    expect(endpoint.requests.map(({ authorization }) => authorization)).toEqual([bearer, bearer]);
    for (const own of ["https://models.example.org/e2i", "http://10.0.0.7:80"])
      expect(keyFor(own)).toBe(settings.endpointKey);
    for (const foreign of [
      "https://evil.example.org",
      "https://models.example.org.evil.org",
      "no address",
      "",
    ])
      expect(keyFor(foreign)).toBeNull();
  });

  it("takes the answer of a model that states no probabilities", async () => {
    const { probabilities: _, confidence: __, ...bare } = endpointAnswer;
    endpoint.answerInTurn(text("ok"), json(bare));
    const { prediction } = await synthesize(state(), {});
    expect(prediction).toMatchObject({ outcome: "predicted", probabilities: null, confidence: null });
  });

  it("repeats three times what the endpoint cannot answer for now", async () => {
    const busy = text("busy", 503);
    endpoint.answerInTurn(text("ok"), busy, busy, busy, json(endpointAnswer));
    const { prediction } = await synthesize(state(), {});
    expect(prediction).toMatchObject({ outcome: "predicted" });
    expect(asked()).toEqual(["GET /healthz", ...Array.from({ length: 4 }, () => "POST /predict")]);
  });

  it("gives up after the third repetition with a typed error", async () => {
    endpoint.answerWith(text("no version in production", 503));
    const update = await synthesize(state(), {});
    expect(update).toMatchObject({ status: "failed", prediction: null });
    expect(update.errors).toMatchObject([
      { agent_name: "prediction_synthesizer", code: "service_unavailable", details: { status: 503 } },
    ]);
    expect(asked()).toEqual(Array.from({ length: 4 }, () => "GET /healthz"));
    expect(update.spans).toMatchObject([{ status: "error", error_type: "ServiceUnavailableError" }]);
  });

  it("does not repeat what the endpoint refuses", async () => {
    endpoint.answerInTurn(text("ok"), json({ error: "age is missing" }, 400));
    const update = await synthesize(state(), {});
    expect(update.errors).toMatchObject([{ code: "service_refused" }]);
    expect(update.errors?.[0]?.message).toContain("age is missing");
    expect(asked()).toHaveLength(2);
  });

  it.each([
    ["no JSON", text("<html>")],
    ["another shape", json({ predictions: [1] })],
  ])("refuses an answer of %s", async (_, answer) => {
    endpoint.answerInTurn(text("ok"), answer);
    const update = await synthesize(state(), {});
    expect(update.errors).toMatchObject([{ code: "service_refused" }]);
  });

  it("gives up at once when its caller does", async () => {
    endpoint.answerWith(blackHole);
    const caller = new AbortController();
    const asking = synthesize(state(), { signal: caller.signal });
    await expect.poll(asked).toHaveLength(1);
    caller.abort();
    // LangChain raises an error of its own for an aborted step, which the agent types.
    expect(await asking).toMatchObject({ status: "failed", prediction: null });
    expect(asked()).toHaveLength(1);
  });

  it.each([
    ["no manifest", { deployment_manifest: null }, "the deployer handed over no deployment_manifest."],
    ["no request", { prediction_request: undefined }, "the state holds no prediction_request."],
    [
      "an endpoint without traffic",
      {
        deployment_manifest: aManifest({
          traffic: { generation: 1, weights: [], mirror_deployment_id: "dep_1" },
        }),
      },
      "endpoint e2i_remission_staging has no version in traffic.",
    ],
  ])("does nothing for %s and says so", async (_, overrides, reason) => {
    const update = await synthesize(state(overrides), {});
    const said = `No prediction was made: ${reason}`;
    expect(update.prediction).toEqual({ outcome: "skipped", reason: said });
    expect(update.warnings).toEqual([said]);
    expect(asked()).toEqual([]);
  });

  it.each([
    ["errors", "all is lost"],
    ["deployment_manifest", "http://here"],
  ])("refuses %s of a kind that it does not know", async (field, value) => {
    const update = await synthesize(state({ [field]: value }), {});
    expect(update.errors).toMatchObject([{ code: "invalid_request", retryable: false }]);
    expect(update.errors?.[0]?.message).toContain(field);
    expect(asked()).toEqual([]);
  });

  it("refuses a request that the endpoint's contract does not know", async () => {
    const update = await synthesize(state({ prediction_request: { entity: "patient_7" } }), {});
    expect(update.errors).toMatchObject([{ code: "invalid_request" }]);
    expect(asked()).toEqual([]);
  });
});

describe("prediction_synthesizer in a session", () => {
  const session_id = "sess_abcdefgh12345678";
  const none = { deployment_manifest: null, session_id };

  async function remembering(manifest: Record<string, unknown>) {
    const workingMemory = new InMemoryWorkingMemory();
    await workingMemory.rememberManifest(session_id, manifest, { signal: AbortSignal.timeout(120_000) });
    return { workingMemory, node: new PredictionSynthesizerAgent({ workingMemory }).asNode() };
  }

  it("asks the endpoint that was handed over last where this run hands over none, and says so", async () => {
    endpoint.answerInTurn(text("ok"), json(endpointAnswer));
    const { node } = await remembering(aManifest({ endpoint_url }));
    const update = await node(state(none), {});
    expect(update.prediction).toMatchObject({ outcome: "predicted", endpoint_url });
    expect(update.warnings?.join()).toContain("the session's last one was used, of dep_1");
    expect(update.spans.map((span) => span.operation)).toEqual(["recall_manifest", "predict"]);
  });

  it("is degraded while working memory is down: it answers, and names what it could not ask", async () => {
    const { node, workingMemory } = await remembering(aManifest({ endpoint_url }));
    workingMemory.down();
    const update = await node(state(none), {});
    expect(update.errors).toBeUndefined();
    expect(update.prediction).toMatchObject({ outcome: "skipped" });
    expect(update.warnings).toEqual([
      "No prediction was made: the deployer handed over no deployment_manifest.",
      "working memory does not say which endpoint the session has: redis is down",
    ]);
    expect(asked()).toEqual([]);
  });

  it("does not take for a manifest what is none", async () => {
    const { node } = await remembering({ deployment_id: "dep_1" });
    const update = await node(state(none), {});
    expect(update.warnings?.join()).toContain(`what is kept for ${session_id} is no manifest`);
  });

  it.each([
    ["this run has a manifest", { session_id }],
    ["the deployer failed", { ...none, status: "failed" }],
    ["the run only plans", { ...none, deployment_plan: {}, operation_id: null }],
    ["nothing is to be asked", { ...none, prediction_request: undefined }],
    ["there is no session", { deployment_manifest: null }],
  ])("recalls nothing where %s", async (_, overrides) => {
    endpoint.answerWith(json(endpointAnswer));
    const { node } = await remembering(
      aManifest({ endpoint_url: "http://127.0.0.1:9", deployment_id: "old" }),
    );
    const update = await node(state(overrides), {});
    expect(update.spans.map((span) => span.operation)).not.toContain("recall_manifest");
    expect(update.warnings?.join() ?? "").not.toContain("old");
  });
});
