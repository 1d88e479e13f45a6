import { Agent, request } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { tumour } from "../asked.ts";
import { openWorkshop, resources, type Workshop } from "../workshop.ts";

/** One bento with the runner and one without, which BentoML's own program serves. */
let workshop: Workshop;
const urls = new Map<string, string>();
const servers = ["by_runner", "by_bentoml"] as const;

beforeAll(async () => {
  workshop = await openWorkshop();
  for (const server of servers) {
    const bento_tag = await workshop.pack("classifier");
    if (server === "by_bentoml") await workshop.withoutRunner(bento_tag);
    const started = { deployment_id: `dep_${server}`, bento_tag, resources };
    const { host, port } = await workshop.server.start(started, { signal: AbortSignal.timeout(400_000) });
    urls.set(server, `http://${host}:${port}`);
  }
});

afterAll(async () => {
  await workshop.close();
});

interface Asked {
  path: string;
  body?: string;
  method?: string;
  headers?: Record<string, string>;
}

async function answerOf(server: string, { path, body, method, headers }: Asked) {
  const response = await fetch(`${urls.get(server) ?? ""}${path}`, {
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers: {
      "content-type": "application/json",
      ...(await workshop.deployersHeaders(`dep_${server}`)),
      ...headers,
    },
    signal: AbortSignal.timeout(120_000),
    ...(body === undefined ? {} : { body }),
  });
  const text = await response.text();
  const { status } = response;
  return {
    status,
    type: response.headers.get("content-type"),
    text: text.replaceAll(`dep_${server}`, "dep"),
  };
}

const table = { columns: Object.keys(tumour), data: [Object.values(tumour), Object.values(tumour)] };
const asked: [string, Asked][] = [
  ["a prediction", { path: "/predict", body: JSON.stringify({ features: tumour }) }],
  ["a table", { path: "/invocations", body: JSON.stringify({ dataframe_split: table }) }],
  ["records", { path: "/invocations", body: JSON.stringify({ dataframe_records: [tumour] }) }],
  ["no features", { path: "/predict", body: "{}" }],
  ["a wrong type", { path: "/predict", body: JSON.stringify({ features: { ...tumour, "mean area": "x" } }) }],
  ["no JSON", { path: "/invocations", body: "not json" }],
  ["an empty body", { path: "/invocations", body: "" }],
  ["a body that is too large", { path: "/invocations", body: " ".repeat(16 * 1024 * 1024 + 1) }],
  ["another method", { path: "/predict", method: "GET" }],
  ["HEAD", { path: "/info", method: "HEAD" }],
  ["a path with a slash at its end", { path: "/predict/", body: "{}" }],
  ["/info", { path: "/info" }],
  ["/sample", { path: "/sample" }],
  ["/livez", { path: "/livez" }],
  ["/healthz", { path: "/healthz" }],
  ["/readyz", { path: "/readyz" }],
];

describe("a bento's own runner", () => {
  it.each(asked)("answers as bentoml serve does: %s", async (_, request) => {
    const [runner, bentoml] = await Promise.all(servers.map((server) => answerOf(server, request)));
    expect(runner).toEqual(bentoml);
  });

  it("refuses a path that is not there as it refuses anything, and not by BentoML's text", async () => {
    const [runner, bentoml] = await Promise.all(
      servers.map((server) => answerOf(server, { path: "/nowhere" })),
    );
    expect([runner?.status, bentoml?.status]).toEqual([404, 404]);
    expect(runner?.type).toBe("application/json");
    expect(runner?.text).toContain("RESOURCE_DOES_NOT_EXIST");
  });

  it("keeps the same figures under the same names and labels", async () => {
    const ask = { path: "/invocations", body: JSON.stringify({ dataframe_split: table }) };
    await Promise.all(servers.map((server) => answerOf(server, ask)));
    const [runner, bentoml] = await Promise.all(
      servers.map(async (server) => seriesIn((await answerOf(server, { path: "/metrics" })).text)),
    );
    expect(runner?.size).toBeGreaterThan(20);
    expect(runner).toEqual(bentoml);
  });

  it("answers what is asked while a process that was killed is started again", async () => {
    const [supervisor = 0, server = 0] = await workshop.processesOf("dep_by_runner");
    expect(server).toBeGreaterThan(supervisor);
    process.kill(server, "SIGKILL");
    // A connection of its own, since those that are kept alive end with the process.
    const answer = await request(`${urls.get("by_runner") ?? ""}/invocations`, {
      dispatcher: new Agent(),
      method: "POST",
      body: JSON.stringify({ dataframe_split: table }),
    });
    expect([answer.statusCode, await answer.body.text()]).toEqual([200, '{"predictions": [0, 0]}']);
    const [same, another] = await workshop.processesOf("dep_by_runner");
    expect(same).toBe(supervisor);
    expect(another).not.toBe(server);
  });
});

/** Each series of `/invocations` answered with 200, by its name and labels; a process id is BentoML's way to keep several apart. */
function seriesIn(text: string): Set<string> {
  const lines = text.split("\n").filter((line) => !line.startsWith("#"));
  const named = lines.map((line) => line.replace(/ \S+$/, "").replace(/pid="\d+",/, ""));
  return new Set(
    named.filter(
      (name) =>
        name.startsWith("bentoml_service_") &&
        (!name.includes("endpoint=") || name.includes('endpoint="/invocations"')) &&
        (!name.includes("http_response_code=") || name.includes('http_response_code="200"')),
    ),
  );
}
