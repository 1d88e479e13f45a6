import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, containing, near, request, some, tumour } from "../asked.ts";
import { openWorkshop, resources, type Workshop } from "../workshop.ts";

let workshop: Workshop;
const urls = new Map<string, string>();
const served = [
  ["classifier"],
  ["regressor"],
  ["scaled_classifier", "scaler_file"],
  ["scaled_classifier", "scaler_model"],
  ["mixed_columns"],
  ["failing_on_part"],
] as const;

beforeAll(async () => {
  workshop = await openWorkshop();
  for (const [model, preprocessing] of served) {
    const bento_tag = await workshop.pack(model, preprocessing);
    const name = preprocessing ?? model;
    const options = { signal: AbortSignal.timeout(400_000) };
    const input = { deployment_id: `dep_${name}`, bento_tag, resources };
    const address = await workshop.server.start(input, options);
    urls.set(name, `http://${address.host}:${address.port}`);
  }
}, 1_200_000);

afterAll(async () => {
  await workshop.close();
});

const call = async (server: string, path: string, body?: unknown, headers?: Record<string, string>) => {
  const { status, answer } = await ask(`${urls.get(server) ?? ""}${path}`, body, headers);
  return { status, answer: Object.fromEntries(Object.entries(answer ?? {})) };
};

const deployers = (server: string) => workshop.deployersHeaders(`dep_${server}`);

const [names, row] = [Object.keys(tumour), Object.values(tumour)];

describe("POST /predict", () => {
  it("answers a classifier's class with its probabilities", async () => {
    const { status, answer } = await call("classifier", "/predict", request({ ...tumour, unused: "x" }));
    expect(status).toBe(200);
    expect(answer).toMatchObject({
      prediction: 0,
      classes: [0, 1],
      model_type: "LogisticRegression",
      model_version: "1",
      features_used: names,
      probabilities: [near(0.985), near(0.015)],
      confidence: near(0.985),
    });
    const short = await call("classifier", "/predict", { ...request(tumour), return_proba: false });
    expect(short.answer).toMatchObject({ prediction: 0, probabilities: null });
  });

  it("answers a regressor's value without probabilities or confidence", async () => {
    const sample = await call("regressor", "/sample", undefined, await deployers("regressor"));
    expect(sample.answer["source"]).toBe("schema");
    const features = Object.fromEntries(
      ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"].map((name) => [name, 0]),
    );
    const { status, answer } = await call("regressor", "/predict", request(features));
    expect(status).toBe(200);
    expect(answer).toMatchObject({ prediction: near(152.13, 1), probabilities: null });
    expect(answer).not.toHaveProperty("confidence");
  });

  it.each(["scaler_file", "scaler_model"])("applies the preprocessing of %s first", async (server) => {
    const { status, answer } = await call(server, "/predict", request(tumour));
    expect(status).toBe(200);
    // The scaler and the model apart give what the classifier gives as one pipeline.
    expect(answer).toMatchObject({
      prediction: 0,
      probabilities: [near(0.985), near(0.015)],
    });
  });

  it("takes text columns and says when a value is unknown to the model", async () => {
    const known = await call("mixed_columns", "/predict", request({ region: "north", visits: 35 }));
    expect(known).toMatchObject({ status: 200, answer: { prediction: true, classes: [false, true] } });
    const unknown = await call("mixed_columns", "/predict", request({ region: "west", visits: 35 }));
    expect(unknown).toMatchObject({
      status: 500,
      answer: {
        error_code: "MODEL_FAILED",
        error_type: "ValueError",
        error: containing("unknown categories"),
      },
    });
  });

  it("answers 500 when the model fails on an input that is sound", async () => {
    expect(
      await call("failing_on_part", "/predict", request({ ...tumour, "mean radius": 12 })),
    ).toMatchObject({ status: 200 });
    const failed = await call("failing_on_part", "/predict", request({ ...tumour, "mean radius": 25 }));
    const error = "the model failed: ValueError: the score table has no such row";
    expect(failed).toEqual({
      status: 500,
      answer: { error_code: "MODEL_FAILED", message: error, error, error_type: "ValueError" },
    });
    const gap = await call("classifier", "/predict", request({ ...tumour, "mean radius": null }));
    expect(gap).toMatchObject({ status: 500, answer: { error: containing("Input X contains NaN") } });
  });

  it.each([
    ["", /not JSON/],
    ["[]", /must be a JSON object, not a list/],
    ["[".repeat(100_000), /not JSON/],
    ["{}", /"features" must be an object/],
    [request({}), /at least one feature/],
    [request([1, 2]), /"features" must be an object/],
    [{ ...request(tumour), return_proba: "yes" }, /"return_proba" must be true or false/],
    [{ ...request(tumour), entity_id: ["x"] }, /"entity_id" must be a string/],
    [request({ "mean radius": 1 }), /missing features: mean texture, mean perimeter/],
    [request({ ...tumour, "mean radius": "big" }), /"mean radius" must be a number, not the string "big"/],
    [request({ ...tumour, "mean radius": true }), /"mean radius" must be a number, not true/],
    [request({ ...tumour, "mean radius": [1] }), /"mean radius" must be a number, not a list/],
    [JSON.stringify(request(tumour)).replace("17.99", "NaN"), /NaN is no JSON number/],
    [JSON.stringify(request(tumour)).replace("17.99", "1e999"), /too large a number/],
    [JSON.stringify(request(tumour)).replace("17.99", "9".repeat(400)), /too large a number/],
  ])("refuses %j with a sentence", async (body, sentence) => {
    const { status, answer } = await call("classifier", "/predict", body);
    expect(status).toBe(400);
    expect(answer["error"]).toMatch(sentence);
  });

  it("refuses a body that is too large", async () => {
    const { status } = await call("classifier", "/predict", `{"a": "${"x".repeat(17 * 1024 * 1024)}"}`);
    expect(status).toBe(413);
  });
});

describe("POST /invocations", () => {
  it.each([
    [{ dataframe_split: { columns: names, data: [row, row] } }, 2],
    [{ dataframe_split: { columns: [...names].reverse(), index: [7], data: [[...row].reverse()] } }, 1],
    [{ dataframe_records: [tumour, tumour] }, 2],
    [{ instances: [tumour] }, 1],
    [{ inputs: Object.fromEntries(names.map((name, index) => [name, [row[index], row[index]]])) }, 2],
    [{ inputs: tumour }, 1],
  ])("scores %j", async (body, rows) => {
    const { status, answer } = await call("classifier", "/invocations", body);
    expect({ status, answer }).toEqual({ status: 200, answer: { predictions: Array(rows).fill(0) } });
  });

  it.each([
    [{}, /exactly one of the input fields/],
    [{ instances: [row] }, /missing inputs/],
    [{ dataframe_split: { columns: ["a"], data: [[1, 2]] } }, /1 columns passed, passed data had 2/],
    [{ dataframe_records: [tumour, { "mean radius": 1 }] }, /missing features: mean texture/],
  ])("refuses %j with a sentence", async (body, sentence) => {
    const { status, answer } = await call("classifier", "/invocations", body);
    expect(status).toBe(400);
    expect(answer["error"]).toMatch(sentence);
  });
});

describe("what a server says of itself", () => {
  it("names its bento, artifact and deployment", async () => {
    const built = await workshop.packager.findPackage("e2i_classifier:v1");
    expect(await call("classifier", "/info", undefined, await deployers("classifier"))).toEqual({
      status: 200,
      answer: {
        bento_tag: "e2i_classifier:v1",
        artifact_digest: built?.artifact_digest,
        deployment_id: "dep_classifier",
        model_name: "classifier",
        model_version: "1",
      },
    });
  });

  it("is healthy by BentoML's own routes", async () => {
    const headers = await deployers("classifier");
    for (const path of ["/healthz", "/readyz", "/livez", "/metrics"]) {
      const response = await fetch(`${urls.get("classifier") ?? ""}${path}`, {
        ...(path === "/metrics" && { headers }),
        signal: AbortSignal.timeout(120_000),
      });
      expect([path, response.status]).toEqual([path, 200]);
      await response.text();
    }
  });

  it.each([
    ["no secret", {}],
    ["a wrong one", { "x-model-deployer-secret": "guessed" }],
    ["an empty one", { "x-model-deployer-secret": "" }],
    ["the deployment's id", { "x-model-deployer-secret": "dep_classifier" }],
  ])("is told to nobody who brings %s", async (_, secret) => {
    const headers = { ...secret, "x-model-deployer-probe": "dep_classifier" };
    for (const path of ["/info", "/sample", "/health", "/metrics"]) {
      expect([path, (await call("classifier", path, undefined, headers)).status]).toEqual([path, 404]);
    }
  });

  it("leaves out of its log what the deployer marks, and nothing that others mark so", async () => {
    const [{ path } = { path: "" }] = await workshop.server.predictionLogFiles("dep_classifier");
    const marked = { "x-model-deployer-probe": "dep_classifier" };
    const asDeployer = { ...marked, ...(await deployers("classifier")) };
    for (const [id, headers] of Object.entries({ forged: marked, "the deployer's": asDeployer })) {
      const answer = await call("classifier", "/predict", request(tumour), {
        ...headers,
        "x-request-id": id,
      });
      expect(answer.status).toBe(200);
    }
    const logged = (await readLines(path)).map((line) => Object.fromEntries(Object.entries(line ?? {})));
    const ids = logged.map((line): unknown => line["x_request_id"]);
    expect(ids).toContain("forged");
    expect(ids).not.toContain("the deployer's");
  });

  it("logs each prediction with its request id, and none of the readiness checks", async () => {
    const [{ path } = { path: "" }] = await workshop.server.predictionLogFiles("dep_scaler_file");
    const before = (await readLines(path)).length;
    await call("scaler_file", "/predict", request(tumour), { "x-request-id": "req-1" });
    await call("scaler_file", "/predict", request({}), { "x-request-id": "req-2" });
    await workshop.server.observe("dep_scaler_file", { signal: AbortSignal.timeout(120_000) });
    const lines = (await readLines(path)).slice(before);
    const common = {
      deployment_id: "dep_scaler_file",
      time: some(String),
      latency_ms: some(Number),
    };
    expect(lines).toEqual([
      { ...common, x_request_id: "req-1", status: 200, prediction: 0, score: near(0.015) },
      { ...common, x_request_id: "req-2", status: 400, prediction: null, score: null },
    ]);
  });
});

async function readLines(path: string): Promise<unknown[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  const lines = text.split("\n").filter((line) => line !== "");
  return lines.map((line): unknown => JSON.parse(line));
}
