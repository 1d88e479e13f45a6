import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { ask, tumour } from "../asked.ts";
import { openWorkshop, resources, type Workshop } from "../workshop.ts";

let workshop: Workshop;
const urls = new Map<string, string>();
const models = [
  ["several_outputs"],
  ["nameless"],
  ["ten_thousand_columns"],
  ["shipped_model", "shipped_preprocessing"],
  ["noting"],
] as const;

beforeAll(async () => {
  workshop = await openWorkshop();
  for (const [model, preprocessing] of models) {
    const bento_tag = await workshop.pack(model, preprocessing);
    const started = { deployment_id: `dep_${model}`, bento_tag, resources };
    const { host, port } = await workshop.server.start(started, { signal: AbortSignal.timeout(400_000) });
    urls.set(model, `http://${host}:${port}`);
  }
}, 1_200_000);

afterAll(async () => {
  await workshop.close();
});

const askModel = (model: string, path: string, body: unknown) => ask(`${urls.get(model) ?? ""}${path}`, body);

describe("a model that gives probabilities", () => {
  it("has given them before its first caller asks, as well as a prediction", async () => {
    const asked = join(workshop.directory, "run", "homes", "dep_noting", "tmp", "asked");
    // By /invocations once, by /predict for the class and for the probabilities, and once by the deployer, who checks it.
    expect(await readFile(asked, "utf8")).toBe("once\n".repeat(4));
  });
});

describe("a model of several outputs", () => {
  it("answers /predict with a list of probabilities for each", async () => {
    const { status, answer } = await askModel("several_outputs", "/predict", { features: tumour });
    const shares = z.tuple([z.number(), z.number()]);
    const told = z.object({
      prediction: z.array(z.number()).length(2),
      probabilities: z.tuple([shares, shares]),
    });
    expect(status).toBe(200);
    const { probabilities } = told.parse(answer);
    for (const [no, yes] of probabilities) expect(no + yes).toBeCloseTo(1);
    expect(answer).not.toHaveProperty("confidence");
  });
});

describe("a model that was trained on an array without names", () => {
  it.each([
    ["as it comes", tumour],
    ["in another order", Object.fromEntries(Object.entries(tumour).reverse())],
  ])("refuses features %s, since nothing tells which is which", async (_, features) => {
    const { status, answer } = await askModel("nameless", "/predict", { features });
    expect(status).toBe(400);
    expect(z.object({ error: z.string() }).parse(answer).error).toContain(
      "trained on arrays without names, so that no feature can be told by its name: ask /invocations",
    );
  });

  it("answers /invocations", async () => {
    const { status } = await askModel("nameless", "/invocations", { inputs: [Object.values(tumour)] });
    expect(status).toBe(200);
  });
});

describe("a model of ten thousand columns", () => {
  const names = Array.from({ length: 10_000 }, (_, number) => `column_${number}`);
  const features = Object.fromEntries(names.map((name, number) => [name, number === 3 ? 1 : 0]));

  it("predicts the same by each way", async () => {
    const { answer } = await askModel("ten_thousand_columns", "/predict", { features });
    const { prediction } = z.object({ prediction: z.number() }).parse(answer);
    expect(prediction).toBeCloseTo(3);
    const records = await askModel("ten_thousand_columns", "/invocations", { dataframe_records: [features] });
    expect(records).toEqual({ status: 200, answer: { predictions: [prediction] } });
    const inputs = [
      { name: "rows", shape: [1, names.length], datatype: "FP64", data: Object.values(features) },
    ];
    const inferred = await askModel("ten_thousand_columns", "/v2/models/ten_thousand_columns/infer", {
      inputs,
    });
    const outputs = z.object({ outputs: z.tuple([z.object({ data: z.array(z.number()) })]) });
    expect(outputs.parse(inferred.answer).outputs[0].data).toEqual([prediction]);
  });

  it("names the one that is wrong, in a sentence that can be read", async () => {
    const { status, answer } = await askModel("ten_thousand_columns", "/predict", {
      features: { ...features, column_9999: "x" },
    });
    expect(status).toBe(400);
    const error = 'feature "column_9999" must be a number, not the string "x"';
    expect(answer).toMatchObject({ error, column: "column_9999", row: 0 });
    const missing = await askModel("ten_thousand_columns", "/predict", { features: { column_0: 1 } });
    expect(JSON.stringify(missing.answer).length).toBeLessThan(1000);
  });
});

describe("a model and a preprocessing that ship modules of the same name", () => {
  it("each get their own", async () => {
    const { status, answer } = await askModel("shipped_model", "/predict", { features: { x: 2 } });
    expect(status).toBe(200);
    expect(z.object({ prediction: z.number() }).parse(answer).prediction).toBeCloseTo(30);
  });
});
