import { deflateSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { openWorkshop, resources, type Workshop } from "../workshop.ts";

let workshop: Workshop;
let url: string;
const signal = () => AbortSignal.timeout(400_000);

beforeAll(async () => {
  workshop = await openWorkshop();
  const started = { deployment_id: "dep_bodies", bento_tag: await workshop.pack("classifier"), resources };
  const { host, port } = await workshop.server.start(started, { signal: signal() });
  url = `http://${host}:${port}/invocations`;
}, 600_000);

afterAll(() => workshop.close());

const answerSchema = z.looseObject({
  predictions: z.array(z.number()).optional(),
  error_code: z.string().optional(),
  message: z.string().optional(),
  error: z.string().optional(),
  column: z.string().optional(),
  row: z.int().optional(),
});

async function post(body: string | Buffer, encoding?: string, type = "application/json") {
  const headers = { "content-type": type, ...(encoding !== undefined && { "content-encoding": encoding }) };
  const response = await fetch(url, { method: "POST", headers, body, signal: signal() });
  return { status: response.status, ...answerSchema.parse(await response.json()) };
}

const tumour = {
  "mean radius": 17.99,
  "mean texture": 10.38,
  "mean perimeter": 122.8,
  "mean area": 1001.0,
  "mean smoothness": 0.1184,
};
const text = JSON.stringify({ dataframe_records: [tumour] });
const heading = `${Object.keys(tumour).join(",")}\n`;
const line = `${Object.values(tumour).join(",")}\n`;

describe("a packed body", () => {
  it.each([
    ["gzip", gzipSync(text)],
    ["x-gzip", gzipSync(text)],
    ["deflate", deflateSync(text)],
    ["identity", Buffer.from(text)],
  ])("by %s is read", async (encoding, body) => {
    expect(await post(body, encoding)).toMatchObject({ status: 200, predictions: [0] });
  });

  it("of several gzip members is read to its end", async () => {
    const body = Buffer.concat([heading, line, line].map((one) => gzipSync(one)));
    expect(await post(body, "gzip", "text/csv")).toMatchObject({ status: 200, predictions: [0, 0] });
  });

  it.each([
    ["that is none", "gzip", Buffer.from(text), 400, /the body is not gzip/],
    ["that ends too early", "gzip", gzipSync(text).subarray(0, -9), 400, /ends too early/],
    [
      "with more behind it",
      "deflate",
      Buffer.concat([deflateSync(text), Buffer.from("x")]),
      400,
      /goes on behind/,
    ],
    ["with a broken member", "gzip", Buffer.concat([gzipSync(text), Buffer.from("more")]), 400, /not gzip/],
    [
      "of more members than a file has",
      "gzip",
      Buffer.concat(Array(1100).fill(gzipSync(" "))),
      400,
      /goes on behind/,
    ],
    ["that unpacks to too much", "gzip", gzipSync(Buffer.alloc(64 * 1024 * 1024)), 413, /larger than/],
    ["of another kind", "br", Buffer.from(text), 415, /send gzip, deflate or none/],
  ])("%s is refused in the one form", async (_what, encoding, body, status, sentence) => {
    const answer = await post(body, encoding);
    expect(answer).toMatchObject({ status, message: answer.error });
    expect(answer.message).toMatch(sentence);
    expect(answer.error_code).toMatch(/^[A-Z_]+$/);
  });
});

describe("what no route takes is refused in the one form", () => {
  it.each([
    ["GET", "", 405, "METHOD_NOT_ALLOWED"],
    ["OPTIONS", "", 405, "METHOD_NOT_ALLOWED"],
    ["POST", "/more", 404, "RESOURCE_DOES_NOT_EXIST"],
  ])("%s /invocations%s", async (method, more, status, code) => {
    const response = await fetch(`${url}${more}`, { method, signal: signal() });
    const answer = answerSchema.parse(await response.json());
    expect(answer).toMatchObject({ error_code: code, message: answer.error });
    expect([response.status, response.headers.get("allow")]).toEqual([
      status,
      status === 405 ? "POST" : null,
    ]);
  });
});

describe("what is wrong is told with its column and row", () => {
  const broken = (cell: unknown) => ({ dataframe_records: [tumour, { ...tumour, "mean area": cell }] });
  it.each(["many", true, [1], { a: 1 }, "1001.0"])("a cell %j", async (cell) => {
    expect(await post(JSON.stringify(broken(cell)))).toMatchObject({
      status: 400,
      column: "mean area",
      row: 1,
    });
  });

  it.each(["NaN", "Infinity", "-Infinity", "1e999", "01", ".5", "9".repeat(5000)])(
    "the number %s is refused",
    async (number) => {
      const { status, error_code } = await post(text.replace("17.99", number));
      expect(status).toBe(400);
      expect(error_code).toMatch(/^[A-Z_]+$/);
    },
  );

  it("ten thousand columns are read for those of the signature, and told where these are missing", async () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`c${index}`, index]));
    const whole = JSON.stringify({ dataframe_records: [{ ...many, ...tumour }] });
    expect(await post(whole)).toMatchObject({ status: 200, predictions: [0] });
    const answer = await post(JSON.stringify({ dataframe_records: [many] }));
    expect(answer).toMatchObject({ status: 400 });
    expect(answer.message).toMatch(/missing features: mean radius/);
    expect(answer.message?.length).toBeLessThan(1000);
  });

  it.each([
    ["lists", "[".repeat(100_000)],
    ["closed lists", `{"inputs": ${"[".repeat(50_000)}${"]".repeat(50_000)}}`],
    ["objects", `${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}`],
  ])("%s in each other without end", async (_what, body) => {
    expect((await post(body)).status).toBe(400);
    expect(await post(text)).toMatchObject({ status: 200 });
  });
});
