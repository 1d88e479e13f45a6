import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Agent, request } from "undici";
import { expect } from "vitest";
import type { ServerAddress } from "../../../src/agents/model_deployer/ports/traffic_router_port.ts";
import { EnvoyRouter, type EnvoyRouterOptions } from "../../../src/mlops/envoy/envoy_router.ts";
import { findProcess, stopProcess } from "../../../src/platform/processes/managed_process.ts";
import { ensureToolsEnvironment } from "../../../src/platform/python/python_environment.ts";
import { pollUntil } from "../../../src/testing/poll.ts";

const options = { signal: new AbortController().signal };

/** Finds or makes the environment that holds the Envoy binary; minutes at the first time. */
export async function prepareEnvoy(): Promise<string> {
  const cacheDirectory = process.env["MODEL_DEPLOYER_CACHE"] ?? join(homedir(), ".cache", "model-deployer");
  return (await ensureToolsEnvironment({ cacheDirectory })).envoy;
}

interface ReceivedRequest {
  request_id: string;
  url: string;
  body: string;
  traceparent: string | undefined;
  /** The header by which the deployer marks its own requests. */
  probe: string | undefined;
  secret: string | undefined;
  authorization: string | undefined;
}

interface ModelServerDouble {
  address: ServerAddress;
  received: ReceivedRequest[];
  /** Answers the requests that `hold` has kept waiting, and all later ones at once. */
  release: () => void;
  close: () => Promise<void>;
}

interface ServerBehaviour {
  status?: number;
  /** 127.0.0.1 unless given. */
  host?: string;
  port?: number;
  /** Keeps each request without an answer until `release`. */
  hold?: boolean;
  /** Reads a prediction of which it is true, then cuts the connection. */
  reset?: boolean | ((body: string) => boolean);
}

async function startServer(deploymentId: string, behaviour: ServerBehaviour): Promise<ModelServerDouble> {
  const received: ReceivedRequest[] = [];
  const waiting: (() => void)[] = [];
  const { host = "127.0.0.1" } = behaviour;
  let holds = behaviour.hold ?? false;
  const { reset = false } = behaviour;
  const resets = typeof reset === "boolean" ? () => reset : reset;
  const answer = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const body = await text(incoming);
    const traceparent = incoming.headersDistinct["traceparent"]?.join();
    const request_id = String(incoming.headers["x-request-id"]);
    const probe = incoming.headersDistinct["x-model-deployer-probe"]?.join();
    const secret = incoming.headersDistinct["x-model-deployer-secret"]?.join();
    const { authorization } = incoming.headers;
    received.push({ request_id, url: incoming.url ?? "", body, traceparent, probe, secret, authorization });
    if (incoming.url !== "/readyz" && resets(body)) return void incoming.socket.destroy();
    if (holds) await new Promise<void>((resolve) => waiting.push(resolve));
    outgoing.writeHead(behaviour.status ?? 200, { "x-deployment-id": "forged" }).end(deploymentId);
  };
  const server = createServer((incoming, outgoing) => {
    // A caller that goes away in the middle is no failure of the server.
    answer(incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(behaviour.port ?? 0, host, resolve);
  });
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new TypeError("the server has no port");
  const release = () => {
    holds = false;
    for (const go of waiting.splice(0)) go();
  };
  return {
    address: { deployment_id: deploymentId, host, port: bound.port },
    received,
    release,
    close: () => {
      release();
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

export interface Answer {
  status: number;
  body: string;
  request_id: string | undefined;
  deployment_id: string | undefined;
  generation: number;
  retry_after: string | undefined;
  content_type: string | undefined;
}

export interface EnvoyFixture {
  home: string;
  router: EnvoyRouter;
  /** A second router over the same home, as another process of the deployer has it. */
  secondRouter: (options?: Partial<EnvoyRouterOptions>) => EnvoyRouter;
  startServer: (deploymentId: string, behaviour?: ServerBehaviour) => Promise<ModelServerDouble>;
  predict: (
    endpointUrl: string,
    headers?: Record<string, string>,
    body?: string,
    signal?: AbortSignal,
  ) => Promise<Answer>;
  runFolder: (endpointName: string) => string;
  pid: (endpointName: string) => Promise<number>;
  crash: (endpointName: string) => Promise<void>;
  dispose: () => Promise<void>;
}

/** A router in a folder of its own, and everything that a test starts around it; `dispose` ends it all. */
export async function makeEnvoyFixture(folderName = "home"): Promise<EnvoyFixture> {
  const envoyPath = await prepareEnvoy();
  const scratch = await mkdtemp(join(tmpdir(), "envoy-test-"));
  const home = join(scratch, folderName);
  const servers: ModelServerDouble[] = [];
  const callers = new Agent({ connections: 256 });
  const router = new EnvoyRouter({ home, envoyPath });
  const runFolder = (endpointName: string) => join(home, "router", endpointName, "run");
  const pid = async (endpointName: string) => {
    const found = await findProcess(runFolder(endpointName), "envoy");
    return found?.pid ?? expect.fail(`no Envoy runs for ${endpointName}`);
  };
  return {
    home,
    router,
    secondRouter: (options) => new EnvoyRouter({ home, envoyPath, ...options }),
    startServer: async (deploymentId, behaviour = {}) => {
      const server = await startServer(deploymentId, behaviour);
      servers.push(server);
      return server;
    },
    predict: (endpointUrl, headers = {}, body = "{}", signal) =>
      predict(callers, endpointUrl, { headers, body, ...(signal !== undefined && { signal }) }),
    runFolder,
    pid,
    crash: async (endpointName) => {
      process.kill(await pid(endpointName), "SIGKILL");
      await pollUntil(async () => (await findProcess(runFolder(endpointName), "envoy")) === null, {
        deadlineMs: 120_000,
        what: "end of Envoy",
      });
    },
    dispose: async () => {
      await callers.destroy();
      for (const server of servers) await server.close();
      for (const endpointName of ["churn", "fraud"]) {
        await stopProcess(runFolder(endpointName), "envoy", { graceMs: 2_000 });
        await router.close(endpointName, options);
      }
      await rm(scratch, { recursive: true, force: true });
    },
  };
}

async function predict(
  dispatcher: Agent,
  endpointUrl: string,
  call: { headers: Record<string, string>; body: string; signal?: AbortSignal },
): Promise<Answer> {
  const answer = await request(`${endpointUrl}/predict`, { method: "POST", ...call, dispatcher });
  const header = (name: string) => {
    const value = answer.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  };
  return {
    status: answer.statusCode,
    body: await answer.body.text(),
    request_id: header("x-request-id"),
    deployment_id: header("x-deployment-id"),
    generation: Number(header("x-endpoint-generation")),
    retry_after: header("retry-after"),
    content_type: header("content-type"),
  };
}
