import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { Client } from "undici";
import { z } from "zod";
import { type toMainSchema, toThreadSchema } from "./messages.ts";

/**
 * The world around a rollback, off the measured thread: model servers that answer probes and predictions as a
 * bento does, and callers of the endpoint that watch which deployment answers.
 */
const { bento_tags, model_ms } = z
  .object({ bento_tags: z.array(z.string()), model_ms: z.number() })
  .parse(workerData);
/** Each pauses this long between two answers, so that callers find a switch within a millisecond and leave a core free. */
const PAUSE_MS = 1;
const CALLERS = 2;

const idle = { threads: 8, under_way: 0, waiting: 0, hung: 0, oldest_seconds: 0 };

function listen(bentoTag: string): Promise<Server> {
  const server = createServer((request, response) => {
    if (request.url === "/health") {
      // One upstream stands for every deployment of its version, so it is whichever one is asked about.
      const deployment_id = request.headers["x-model-deployer-probe"] ?? null;
      answer(response, { bento_tag: bentoTag, deployment_id, ready: true, predictions: idle });
    } else {
      request.resume();
      setTimeout(() => {
        answer(response, { prediction: 1, predictions: [1] });
      }, model_ms);
    }
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      resolve(server);
    });
  });
}

function answer(response: ServerResponse, content: Record<string, unknown>): void {
  response.setHeader("content-type", "application/json");
  response.end(JSON.stringify(content));
}

let awaited: string | null = null;
let lost = 0;
let asked = 0;
/** By the id of the deployment, the moment at which a caller had its last answer. */
const last = new Map<string, bigint>();

async function call(endpointUrl: string): Promise<void> {
  const client = new Client(endpointUrl);
  for (;;) {
    asked += 1;
    try {
      const { statusCode, headers, body } = await client.request({
        method: "POST",
        path: "/predict",
        body: "{}",
      });
      await body.dump();
      if (statusCode !== 200) lost += 1;
      const by = String(headers["x-deployment-id"]);
      const at = process.hrtime.bigint();
      if (statusCode === 200) last.set(by, at);
      if (by === awaited) {
        awaited = null;
        tell({ kind: "seen", at, asked, lost });
      }
    } catch {
      lost += 1;
    }
    await delay(PAUSE_MS);
  }
}

function tell(message: z.input<typeof toMainSchema>): void {
  parentPort?.postMessage(message);
}

parentPort?.on("message", (message: unknown) => {
  const parsed = toThreadSchema.parse(message);
  if (parsed.kind === "watch") awaited = parsed.deployment_id;
  else if (parsed.kind === "ask_last") tell({ kind: "last", at: last.get(parsed.deployment_id) ?? null });
  else for (let one = 0; one < CALLERS; one += 1) void call(parsed.endpoint_url);
});

const servers = await Promise.all(bento_tags.map(listen));
const ports = servers.map((server) => {
  const address: AddressInfo | string | null = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
});
tell({ kind: "listening", ports });
