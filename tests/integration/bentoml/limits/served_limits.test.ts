import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { EndpointCreationError } from "../../../../src/agents/model_deployer/errors.ts";
import { pollUntil } from "../../../../src/testing/poll.ts";
import { openWorkshop, resources, type Workshop } from "../workshop.ts";

const logs = { bytes: 65_536, files: 2 };
const patient = { predictionThreads: 2, predictionQueue: 1, predictionSeconds: 300, bodySeconds: 2, logs };
const DEADLINE_MS = 120_000;
const deployment_id = "dep_limits";
const healthSchema = z.object({
  ready: z.boolean(),
  predictions: z.object({ under_way: z.int(), waiting: z.int(), hung: z.int() }),
});

let workshop: Workshop;
let hasty: Workshop;
const ports = new Map<Workshop, number>();

async function serve(place: Workshop): Promise<void> {
  const bento_tag = await place.pack("behaving");
  const signal = AbortSignal.timeout(400_000);
  const { port } = await place.server.start({ deployment_id, bento_tag, resources }, { signal });
  ports.set(place, port);
}

beforeAll(async () => {
  workshop = await openWorkshop(patient);
  hasty = await openWorkshop({ ...patient, predictionSeconds: 1 });
  await serve(workshop);
  await serve(hasty);
}, 1_200_000);

afterAll(async () => {
  await workshop.close();
  await hasty.close();
}, 240_000);

const url = (place: Workshop) => `http://127.0.0.1:${ports.get(place) ?? 0}`;

async function predict(place: Workshop, x: number, signal = AbortSignal.timeout(DEADLINE_MS)) {
  const body = JSON.stringify({ inputs: [{ x }] });
  const headers = { "content-type": "application/json", "x-request-id": `x-${x}` };
  const response = await fetch(`${url(place)}/invocations`, { method: "POST", body, headers, signal });
  const text = await response.text();
  return { status: response.status, retry: response.headers.get("retry-after"), text: text.slice(0, 200) };
}

async function health(place: Workshop) {
  const headers = await place.deployersHeaders(deployment_id);
  const response = await fetch(`${url(place)}/health`, { headers, signal: AbortSignal.timeout(DEADLINE_MS) });
  return healthSchema.parse(await response.json());
}

const processLog = (place: Workshop) => join(place.directory, "run", `bento-${deployment_id}.log`);
const home = (place: Workshop) => join(place.directory, "run", "homes", deployment_id);
const sizeOf = (path: string) =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );

/** Sends the beginning of a request, and cuts the connection or waits for what is answered. */
function send(place: Workshop, ending: "cut" | "wait"): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(ports.get(place) ?? 0, "127.0.0.1");
    let answer = "";
    socket.on("data", (chunk) => (answer += chunk.toString("utf8")));
    socket.on("error", reject);
    socket.on("close", () => resolve(answer));
    socket.write("POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{", () => {
      if (ending === "cut") socket.destroy();
    });
  });
}

describe("callers", () => {
  it("fill no log by hanging up: 1,500 of them are a line", async () => {
    const before = await sizeOf(processLog(workshop));
    for (let round = 0; round < 60; round += 1) {
      await Promise.all(Array.from({ length: 25 }, () => send(workshop, "cut")));
    }
    const told = async () => (await readFile(processLog(workshop), "utf8")).includes('"hung_up"');
    await pollUntil(told, { what: "a line about them", deadlineMs: DEADLINE_MS });
    expect((await sizeOf(processLog(workshop))) - before).toBeLessThan(2000);
  });

  it("are told so when their body does not arrive, and take no thread meanwhile", async () => {
    const slow = Promise.all(Array.from({ length: 50 }, () => send(workshop, "wait")));
    expect(await predict(workshop, 0)).toMatchObject({ status: 200 });
    for (const answer of await slow) expect(answer).toMatch(/^HTTP\/1.1 408 .*"the body did not arrive/s);
  });

  it("get a 503 when no more may wait, and none that hung up is predicted for", async () => {
    const taken = [predict(workshop, 1), predict(workshop, 1)];
    const until = (under_way: number, waiting: number) =>
      pollUntil(
        async () => {
          const { predictions } = await health(workshop);
          return predictions.under_way === under_way && predictions.waiting === waiting;
        },
        { what: `${under_way} under way and ${waiting} waiting`, deadlineMs: DEADLINE_MS },
      );
    await until(2, 0);
    const gone = new AbortController();
    const third = predict(workshop, 5, gone.signal);
    await until(2, 1);
    expect(await predict(workshop, 0)).toMatchObject({ status: 503, retry: "1" });
    gone.abort();
    await expect(third).rejects.toThrow();
    await until(2, 0);
    await writeFile(join(home(workshop), "tmp", "go_on"), "");
    expect(await Promise.all(taken)).toMatchObject([{ status: 200 }, { status: 200 }]);
    await until(0, 0);
    expect(await readdir(join(home(workshop), "work"))).toEqual([]);
  });

  it("add no figures to keep by asking for paths that are not there", async () => {
    for (let number = 0; number < 20; number += 1) {
      const { status } = await fetch(`${url(workshop)}/nowhere/${number}`);
      expect(status).toBe(404);
    }
    const headers = await workshop.deployersHeaders(deployment_id);
    const metrics = await fetch(`${url(workshop)}/metrics`, { headers }).then((response) => response.text());
    expect(metrics).toContain('endpoint="/invocations"');
    expect(metrics).not.toContain("nowhere");
  });

  it("count no check of the deployer's, and say since when they count", async () => {
    const headers = await workshop.deployersHeaders(deployment_id);
    const told = async () => fetch(`${url(workshop)}/metrics`, { headers }).then((answer) => answer.text());
    const counted = (metrics: string) =>
      metrics.split("\n").filter((line) => /request_total\{.*invocations/.test(line));
    const before = await told();
    const marked = { ...headers, "x-model-deployer-probe": deployment_id };
    await fetch(`${url(workshop)}/invocations`, { method: "POST", headers: marked, body: "not json" });
    expect(counted(await told())).toEqual(counted(before));
    await fetch(`${url(workshop)}/invocations`, { method: "POST", body: "not json" });
    expect(counted(await told())).not.toEqual(counted(before));
    expect(before).toMatch(/^process_start_time_seconds \d/m);
  });
});

describe("a model", () => {
  it("that fails again and again is told in full once", async () => {
    for (let number = 0; number < 50; number += 1) {
      expect(await predict(workshop, 3)).toMatchObject({ status: 500 });
    }
    const log = await readFile(processLog(workshop), "utf8");
    expect(log.match(/the feature store is away/g)?.length).toBeLessThan(6);
    expect(log).toMatch(/"event": "model_failed".*"traceback": "Traceback/);
  });

  it("writes into a folder of its own", async () => {
    expect(await predict(workshop, 5)).toMatchObject({ status: 200 });
    expect(await readdir(join(home(workshop), "work"))).toEqual(["written.txt"]);
    expect(await readdir(join(workshop.home, "bentos", "e2i_behaving", "v1", "src"))).not.toContain(
      "written.txt",
    );
  });

  it("fills no disk by what it prints or predicts", async () => {
    for (let number = 0; number < 20; number += 1) {
      expect(await predict(workshop, 4)).toMatchObject({ status: 200 });
    }
    const isBounded = async () => (await sizeOf(processLog(workshop))) <= logs.bytes;
    await pollUntil(isBounded, { what: "a log within its bound", deadlineMs: DEADLINE_MS });
    const kept = (await readdir(join(workshop.directory, "run"))).filter((name) => /\.log\.\d$/.test(name));
    expect(kept.length).toBeLessThanOrEqual(logs.files);
    for (const name of kept) {
      expect(await sizeOf(join(workshop.directory, "run", name))).toBeLessThanOrEqual(logs.bytes);
    }

    const [{ path } = { path: "" }] = await workshop.server.predictionLogFiles(deployment_id);
    const before = await sizeOf(path);
    expect(await predict(workshop, 6)).toMatchObject({ status: 200 });
    expect((await sizeOf(path)) - before).toBeLessThan(1000);
    expect((await readFile(path, "utf8")).trimEnd().split("\n").at(-1)).toMatch(
      /"prediction":"sha256:[0-9a-f]{64}"/,
    );
  });

  it("that never returns costs its callers a 504, and the server says that it hangs", async () => {
    const hung = [predict(hasty, 2), predict(hasty, 2)];
    expect(await Promise.all(hung)).toMatchObject([{ status: 504 }, { status: 504 }]);
    const isHung = async () => (await health(hasty)).predictions.hung === 2;
    await pollUntil(isHung, { what: "both threads hung", deadlineMs: DEADLINE_MS });
    expect(await health(hasty)).toMatchObject({ ready: false });
    expect(await predict(hasty, 0)).toMatchObject({ status: 503, retry: "1" });
  });
});

describe("an input example", () => {
  it("with a missing value is sent as null", async () => {
    const bento_tag = await workshop.pack("missing_in_example");
    const signal = AbortSignal.timeout(400_000);
    const input = { deployment_id: "dep_missing", bento_tag, resources };
    const { port } = await workshop.server.start(input, { signal });
    const headers = await workshop.deployersHeaders("dep_missing");
    const response = await fetch(`http://127.0.0.1:${port}/sample`, { headers });
    expect(await response.json()).toMatchObject({
      source: "input_example",
      sample: { dataframe_split: { data: [[null, 10.38, 122.8, 1001, 0.1184]] } },
    });
  });

  it("that JSON cannot carry is refused by name", async () => {
    const packed = workshop.pack("infinite_in_example");
    await expect(packed).rejects.toThrow(EndpointCreationError);
    await expect(packed).rejects.toThrow(/input example .* has an infinite number in each row/);
  });
});
