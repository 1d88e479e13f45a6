import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { Agent, request } from "undici";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { parsedJson } from "../../../src/platform/parsed_json.ts";
import { anyJson, fuzzRuns, word } from "../../support/requests/fuzzed.ts";
import { type EnvoyFixture, makeEnvoyFixture, prepareEnvoy } from "../envoy/fixture.ts";
import { ask, tumour } from "./asked.ts";
import { openWorkshop, resources, type Workshop } from "./workshop.ts";

/** A model whose rows become arrays, and one whose rows have texts and become tables. */
const MODELS = { churn: "classifier", fraud: "mixed_columns" } as const;
type Endpoint = keyof typeof MODELS;
const ROWS = { churn: tumour, fraud: { region: "north", visits: 3 } };

const options = { signal: new AbortController().signal };
const callers = new Agent({ connections: 8 });
const urls = { churn: "", fraud: "" };
let workshop: Workshop;
let envoy: EnvoyFixture;

beforeAll(async () => {
  await prepareEnvoy();
  [workshop, envoy] = await Promise.all([openWorkshop(), makeEnvoyFixture()]);
  for (const endpoint_name of ["churn", "fraud"] as const) {
    const deployment_id = `dep_${endpoint_name}`;
    const bento_tag = await workshop.pack(MODELS[endpoint_name]);
    const started = { deployment_id, bento_tag, resources };
    const { host, port } = await workshop.server.start(started, { signal: AbortSignal.timeout(400_000) });
    urls[endpoint_name] = (await envoy.router.open(endpoint_name, options)).endpoint_url;
    const route = {
      endpoint_name,
      generation: 1,
      weights: { [deployment_id]: 100 },
      mirror_deployment_id: null,
    };
    await envoy.router.apply(route, [{ deployment_id, host, port }], options);
  }
}, 1_200_000);

afterAll(async () => {
  await callers.destroy();
  await envoy.dispose();
  await workshop.close();
}, 240_000);

/** A good row with one value, or one name, that is another. */
const nearlyGood = (endpoint: Endpoint) =>
  fc
    .tuple(fc.constantFrom(...Object.keys(ROWS[endpoint])), fc.oneof(anyJson, word), fc.option(word))
    .map(([name, value, otherName]) => ({ ...ROWS[endpoint], [otherName ?? name]: value }));

const bodyFor = (endpoint: Endpoint) => {
  const row = fc.oneof(nearlyGood(endpoint), anyJson);
  return fc.oneof(
    row.map((features) => ({ features })),
    fc.record({ features: row, return_proba: anyJson, entity_id: anyJson, time_horizon: anyJson }),
    fc.array(row, { maxLength: 4 }).map((dataframe_records) => ({ dataframe_records })),
    fc.record({ dataframe_split: fc.record({ columns: fc.array(word), data: anyJson }), params: anyJson }),
    anyJson.map((inputs) => ({ inputs })),
    fc
      .array(fc.record({ name: word, shape: anyJson, datatype: word, data: anyJson }))
      .map((inputs) => ({ inputs })),
    anyJson,
  );
};

const asText = fc.constantFrom(
  (value: unknown) => JSON.stringify(value) ?? "",
  (value: unknown) => (JSON.stringify(value) ?? "").slice(0, -1),
  (value: unknown) => (JSON.stringify(value) ?? "").replaceAll("null", "NaN"),
);

const asked = fc.constantFrom("churn", "fraud").chain((endpoint) =>
  fc.record({
    endpoint: fc.constant(endpoint),
    path: fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom("/predict", "/invocations", `/v2/models/${MODELS[endpoint]}/infer`),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom("/v2", "/v2/health/ready", "/openapi.json", "/health", "/info"),
      },
      { weight: 1, arbitrary: word.map((text) => `/${encodeURIComponent(text.toWellFormed())}`) },
    ),
    method: fc.oneof(
      { weight: 8, arbitrary: fc.constant("POST" as const) },
      {
        weight: 1,
        arbitrary: fc.constantFrom("GET" as const, "PUT" as const, "DELETE" as const, "OPTIONS" as const),
      },
    ),
    body: fc.oneof(
      { weight: 6, arbitrary: fc.tuple(bodyFor(endpoint), asText).map(([value, write]) => write(value)) },
      { weight: 1, arbitrary: word },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
    ),
    headers: fc.dictionary(
      fc.constantFrom(
        "content-type",
        "content-encoding",
        "accept",
        "x-request-id",
        "x-deployment-id",
        "expect",
      ),
      fc.constantFrom(
        "application/json",
        "text/csv",
        "gzip",
        "deflate",
        "br",
        "application/json; charset=latin-1",
        "*",
      ),
      { maxKeys: 2 },
    ),
  }),
);

const problemSchema = z.looseObject({ error_code: z.string(), message: z.string() });
/** What of a hostile request may be the model's own failure. */
const OF_THE_MODEL = ["MODEL_FAILED", "ANSWER_NOT_ENCODABLE"];

const processes = async () => ({
  servers: await Promise.all(["dep_churn", "dep_fraud"].map((id) => workshop.processesOf(id))),
  routers: await Promise.all(["churn", "fraud"].map((name) => envoy.pid(name))),
});

const good = (endpoint: Endpoint) => ask(`${urls[endpoint]}/predict`, { features: ROWS[endpoint] });

test("whatever an endpoint is sent is answered by a problem that says why, by the same processes, and good rows as before", async () => {
  const [before, rows] = [await processes(), [await good("churn"), await good("fraud")]];
  expect(rows.map(({ status }) => status)).toEqual([200, 200]);
  await fc.assert(
    fc.asyncProperty(asked, async ({ endpoint, path, method, body, headers: { expect: _, ...headers } }) => {
      const answer = await request(`${urls[endpoint]}${path}`, {
        ...{ method, headers, dispatcher: callers },
        ...(method === "GET" ? {} : { body }),
      });
      const text = await answer.body.text();
      const what = `${method} ${path} ${answer.statusCode} ${text.slice(0, 300)}`;
      if (answer.statusCode < 400) return;
      const problem = problemSchema.safeParse(parsedJson(text));
      expect(problem.success, what).toBe(true);
      if (answer.statusCode >= 500) expect(OF_THE_MODEL, what).toContain(problem.data?.error_code);
    }),
    { numRuns: fuzzRuns(0.5, 300), endOnFailure: true },
  );
  expect([await good("churn"), await good("fraud")]).toEqual(rows);
  expect(await processes()).toEqual(before);
  for (const id of ["dep_churn", "dep_fraud"]) {
    const log = await readFile(join(workshop.runDirectory, `bento-${id}.log`), "utf8");
    // The model's own failures stand in lines of JSON.
    expect(log).not.toMatch(/^Traceback/m);
  }
});

test("half a character, which pandas 3 takes for no text, is no failure of the model", async () => {
  const features = { ...ROWS.fraud, region: "\ud800" };
  const refused = { status: 400, answer: { error_code: "BAD_REQUEST" } };
  expect(await ask(`${urls.fraud}/predict`, { features })).toMatchObject(refused);
  const table = { dataframe_records: [features] };
  expect(await ask(`${urls.fraud}/invocations`, table)).toMatchObject(refused);
});

test("bytes that are no HTTP end their own connection alone", async () => {
  const rows = await good("churn");
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
        word.map((text) =>
          Buffer.from(`POST /predict HTTP/1.1\r\nhost: ${text}\r\ncontent-length: 1e3\r\n\r\n{}`),
        ),
        word.map((text) =>
          Buffer.from(`POST ${text} HTTP/9.9\r\ntransfer-encoding: chunked, ${text}\r\n\r\nzz\r\n`),
        ),
      ),
      (bytes) => sendBytes(urls.churn, bytes),
    ),
    { numRuns: fuzzRuns(0.02, 50), endOnFailure: true },
  );
  expect(await good("churn")).toEqual(rows);
});

/** Resolves once the other side has ended the connection. */
function sendBytes(url: string, bytes: Buffer): Promise<void> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.end(bytes));
    socket.on("error", () => undefined); // the other side may cut it at once
    socket.resume().on("close", () => resolve());
  });
}
