import { connect } from "node:net";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { MemoryShortError } from "../../../src/agents/model_deployer/errors.ts";
import { BentoMLServer } from "../../../src/mlops/bentoml/server.ts";
import { residentMemory } from "../../../src/platform/processes/memory_room.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { openWorkshop, resources, type Workshop } from "./workshop.ts";

const THREADS = 8;
const deployment_id = "dep_health";
const healthSchema = z.strictObject({
  deployment_id: z.literal(deployment_id),
  bento_tag: z.literal("e2i_waiting_when_told:v1"),
  ready: z.boolean(),
  predictions: z.strictObject({
    threads: z.literal(THREADS),
    under_way: z.int(),
    waiting: z.int(),
    hung: z.int(),
    oldest_seconds: z.number(),
  }),
  warm_up: z.strictObject({ state: z.literal("done"), seconds: z.number(), error: z.null() }),
});

let workshop: Workshop;
let address: { host: string; port: number };

beforeAll(async () => {
  workshop = await openWorkshop();
  const bento_tag = await workshop.pack("waiting_when_told");
  const signal = AbortSignal.timeout(400_000);
  address = await workshop.server.start({ deployment_id, bento_tag, resources }, { signal });
}, 1_200_000);

afterAll(async () => {
  await workshop.close();
});

const url = () => `http://${address.host}:${address.port}`;

async function health(): Promise<z.infer<typeof healthSchema>> {
  const headers = await workshop.deployersHeaders(deployment_id);
  const response = await fetch(`${url()}/health`, { headers, signal: AbortSignal.timeout(120_000) });
  return healthSchema.parse(await response.json());
}

describe("GET /health", () => {
  it("answers while every thread is taken and bodies trickle in", async () => {
    expect(await health()).toMatchObject({ ready: true, predictions: { under_way: 0, waiting: 0, hung: 0 } });
    const senders = Array.from({ length: 50 }, () => {
      const socket = connect(address.port, address.host);
      socket.on("error", () => undefined); // the server may end it first
      socket.write("POST /predict HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{");
      return socket;
    });
    const features = {
      "mean radius": 25,
      "mean texture": 10,
      "mean perimeter": 120,
      "mean area": 1001,
      "mean smoothness": 0.1,
    };
    const answers = Array.from({ length: THREADS + 2 }, async () => {
      const body = JSON.stringify({ features });
      const response = await fetch(`${url()}/predict`, { method: "POST", body });
      return response.status;
    });
    const taken = async () => {
      const { predictions } = await health();
      return predictions.under_way === THREADS && predictions.waiting === 2 ? predictions : null;
    };
    const figures = await pollUntil(taken, { what: "all threads taken", deadlineMs: 120_000 });
    expect(figures.oldest_seconds).toBeGreaterThan(0);
    await writeFile(join(workshop.directory, "run", "homes", deployment_id, "tmp", "go_on"), "");
    expect(await Promise.all(answers)).toEqual(Array(THREADS + 2).fill(200));
    expect(await health()).toMatchObject({ ready: true, predictions: { under_way: 0, waiting: 0, hung: 0 } });
    for (const socket of senders) socket.destroy();
  });
});

it("a server that was started under other settings is told from a new one where that is asked for", async () => {
  const signal = AbortSignal.timeout(120_000);
  const compared = { signal, compares_settings: true };
  const changed = workshop.withLimits({ predictionSeconds: 3 });
  expect(await workshop.server.observe(deployment_id, compared)).not.toHaveProperty("outdated");
  expect(await changed.observe(deployment_id, compared)).toMatchObject({ state: "ready", outdated: true });
  expect(await changed.observe(deployment_id, { signal })).not.toHaveProperty("outdated");
  await changed.close();
});

describe("a replacement", () => {
  const beside = (server: BentoMLServer) =>
    server.start(
      { deployment_id, bento_tag: "e2i_waiting_when_told:v1", resources, served_before: true, beside: true },
      { signal: AbortSignal.timeout(400_000) },
    );

  it("is not started where there is memory for one server only, which goes on", async () => {
    const runDirectory = join(workshop.directory, "run");
    const held = await residentMemory(runDirectory, `bento-${deployment_id}`);
    // Python with a model and its libraries.
    expect(held).toBeGreaterThan(50 * 1024 * 1024);
    const cramped = new BentoMLServer({
      home: workshop.home,
      runDirectory,
      cacheDirectory: workshop.directory,
      uv: workshop.tools.uv,
      freeMemory: () => Promise.resolve(held / 2),
    });
    const refused = beside(cramped);
    await expect(refused).rejects.toThrow(MemoryShortError);
    await expect(refused).rejects.toThrow(
      /There is memory for one server of dep_health: it holds \d+ MB and \d+ MB/,
    );
    await cramped.close();
    expect(await workshop.server.list()).toEqual([deployment_id]);
    expect(await health()).toMatchObject({ ready: true });
  });

  it("leaves the server to be asked for a sample by whoever looks on", async () => {
    const signal = AbortSignal.timeout(120_000);
    expect(await workshop.server.trySample(deployment_id, { signal })).toEqual({ sample: "answered" });
    expect(await workshop.server.trySample("dep_nobody", { signal })).toEqual({ sample: "none" });
  });
});
