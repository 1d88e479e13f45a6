import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { EnvoyRouter } from "../../../../src/mlops/envoy/envoy_router.ts";
import { ask, tumour } from "../asked.ts";
import { openWorkshop, resources, type Workshop } from "../workshop.ts";

/** A classifier, asked through an endpoint of the router. */
let workshop: Workshop;
let router: EnvoyRouter;
let url: string;
const endpoint = "open-inference";
const options = () => ({ signal: AbortSignal.timeout(400_000) });

beforeAll(async () => {
  workshop = await openWorkshop();
  const started = { deployment_id: "dep_v2", bento_tag: await workshop.pack("classifier"), resources };
  const address = await workshop.server.start(started, options());
  router = new EnvoyRouter({ home: workshop.directory, envoyPath: workshop.tools.envoy });
  const { endpoint_url } = await router.open(endpoint, options());
  const weights = { dep_v2: 100 };
  const route = { endpoint_name: endpoint, generation: 1, weights, mirror_deployment_id: null };
  await router.apply(route, [{ deployment_id: "dep_v2", ...address }], options());
  url = endpoint_url;
}, 600_000);

afterAll(async () => {
  await router.close(endpoint, options());
  await workshop.close();
});

const columns = Object.entries(tumour).map(([name, value]) => ({
  name,
  shape: [2],
  datatype: "FP64",
  data: [value, value / 3],
}));

describe("the Open Inference Protocol through an endpoint", () => {
  it.each([
    ["/v2/health/live", { live: true }],
    ["/v2/health/ready", { ready: true }],
    ["/v2/models/classifier/ready", { name: "classifier", ready: true }],
    ["/v2/models/classifier/versions/1/ready", { name: "classifier", ready: true }],
  ])("%s", async (path, answer) => {
    expect(await ask(`${url}${path}`)).toEqual({ status: 200, answer });
  });

  it("describes the model by its signature", async () => {
    const { answer } = await ask(`${url}/v2/models/classifier`);
    const inputs = Object.keys(tumour).map((name) => ({ name, datatype: "FP64", shape: [-1] }));
    const outputs = [{ name: "output-0", datatype: "INT64", shape: [-1] }];
    expect(answer).toEqual({ name: "classifier", versions: ["1"], platform: "mlflow", inputs, outputs });
  });

  const table = columns.flatMap(({ data }) => data[0] ?? 0).concat(columns.map(({ data }) => data[1] ?? 0));
  it.each([
    ["a tensor for each column", columns],
    ["one tensor for the table", [{ name: "rows", shape: [2, 5], datatype: "FP64", data: table }]],
    ["columns of one value in each row", columns.map((one) => ({ ...one, shape: [2, 1] }))],
  ])("predicts from %s what /invocations does", async (_, inputs) => {
    const data = [0, 1].map((row) => columns.map((column) => column.data[row]));
    const split = { columns: Object.keys(tumour), data };
    const { answer } = await ask(`${url}/invocations`, { dataframe_split: split });
    const { predictions } = z.object({ predictions: z.array(z.int()) }).parse(answer);
    const outputs = [{ name: "output-0", shape: [2], datatype: "INT64", data: predictions }];
    expect(await ask(`${url}/v2/models/classifier/infer`, { id: "7", inputs })).toEqual({
      status: 200,
      answer: { model_name: "classifier", model_version: "1", outputs, id: "7" },
    });
  });

  const [first, ...others] = columns;
  it.each([
    ["no inputs", "/v2/models/classifier/infer", {}, 400, '"inputs" must be a list'],
    [
      "a column left out",
      "/v2/models/classifier/infer",
      { inputs: others },
      400,
      "missing feature: mean radius",
    ],
    [
      "a text among numbers",
      "/v2/models/classifier/infer",
      { inputs: [{ ...first, data: [1, "x"] }, ...others] },
      400,
      'the input "mean radius" has the string "x" among its FP64',
    ],
    [
      "too few values",
      "/v2/models/classifier/infer",
      { inputs: [{ ...first, data: [1] }, ...others] },
      400,
      'needs "data" of 2 values',
    ],
    [
      "an output that is not there",
      "/v2/models/classifier/infer",
      { inputs: columns, outputs: [{ name: "shares" }] },
      400,
      'the model has no output "shares": it has output-0',
    ],
    [
      "an output whose name is none",
      "/v2/models/classifier/infer",
      { inputs: columns, outputs: [{ name: ["x"] }] },
      400,
      '"outputs" must be a list of objects with a name',
    ],
    [
      "a datatype that is none",
      "/v2/models/classifier/infer",
      { inputs: [{ ...first, datatype: ["FP64"] }, ...others] },
      400,
      "has an unknown datatype a list",
    ],
    [
      "parameters that are none",
      "/v2/models/classifier/infer",
      { inputs: [{ ...first, parameters: 5 }, ...others] },
      400,
      'needs an object as its "parameters"',
    ],
    ["another model", "/v2/models/other/infer", { inputs: columns }, 404, "the model is classifier"],
    ["another method", "/v2/models/classifier/infer", undefined, 405, "takes POST"],
  ])("refuses %s", async (_, path, body, status, sentence) => {
    const { status: given, answer } = await ask(`${url}${path}`, body);
    expect(given).toBe(status);
    expect(z.object({ error: z.string() }).parse(answer).error).toContain(sentence);
  });
});

describe("GET /openapi.json", () => {
  it("has the columns of the signature, and the input example", async () => {
    const { answer } = await ask(`${url}/openapi.json`);
    const media = z.object({ schema: z.unknown(), example: z.unknown() });
    const posted = z.object({
      post: z.object({ requestBody: z.object({ content: z.object({ "application/json": media }) }) }),
    });
    const paths = z.object({ "/predict": posted, "/invocations": posted });
    const document = z.object({ openapi: z.literal("3.1.0"), paths }).parse(answer);
    const asked = document.paths["/predict"].post.requestBody.content["application/json"];
    const features = z.object({ required: z.array(z.string()) });
    const schema = z.object({ properties: z.object({ features }) }).parse(asked.schema);
    expect(schema.properties.features.required).toEqual(Object.keys(tumour));
    expect((await ask(`${url}/predict`, asked.example)).status).toBe(200);
    const scoring = document.paths["/invocations"].post.requestBody.content["application/json"];
    expect((await ask(`${url}/invocations`, scoring.example)).status).toBe(200);
  });
});
