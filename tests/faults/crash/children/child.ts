import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { ModelDeployerAgent } from "../../../../src/agents/model_deployer/agent.ts";
import { createCapabilities } from "../../../../src/agents/model_deployer/capabilities.ts";
import { createModelDeployerGraph } from "../../../../src/agents/model_deployer/graph.ts";
import type { Parts } from "../../../../src/agents/model_deployer/ports/parts.ts";
import { createDatabase } from "../../../../src/database/index.ts";
import { EnvoyRouter } from "../../../../src/mlops/envoy/envoy_router.ts";
import { Worker } from "../../../../src/worker/worker.ts";
import {
  InMemoryEpisodicMemory,
  InMemoryProceduralMemory,
  InMemoryWorkingMemory,
} from "../../../../src/testing/in_memory/memories.ts";
import { InMemoryModelPackager } from "../../../../src/testing/in_memory/model_packager.ts";
import { InMemoryModelRegistry } from "../../../../src/testing/in_memory/model_registry.ts";
import { InMemoryModelServer } from "../../../../src/testing/in_memory/model_server.ts";
import { InMemoryPredictionLogs } from "../../../../src/testing/in_memory/prediction_logs.ts";
import { InMemoryTrafficRouter } from "../../../../src/testing/in_memory/traffic_router.ts";
import { carry, restore } from "../carried_errors.ts";
import { CrashPoints, watchFilesAndCalls, watchStatements } from "../crash_points.ts";
import { withoutSignals } from "./portable_values.ts";
import { type Deed, type Order, toChildSchema } from "./protocol.ts";
import { realEngine } from "../real/real_parts.ts";

/**
 * A process of the deployer that is made to be killed: over the real database, its other parts in the process that started
 * it, so that they outlive it. It does one deed, and dies at the point that it was told.
 */
const points = new CrashPoints();
const waiting = new Map<number, PromiseWithResolvers<unknown>>();
let calls = 0;

/** Stands for a part that lives in the other process; the part given here only lends its type. */
function remote<T extends object>(part: string, kind: T): T {
  return new Proxy(kind, {
    get: (_, method) => {
      if (typeof method !== "string") return undefined;
      return (...values: unknown[]) => points.around(`${part}.${method}`, () => ask(part, method, values));
    },
  });
}

function ask(part: string, method: string, values: unknown[]): Promise<unknown> {
  const call = ++calls;
  const answered = Promise.withResolvers<unknown>();
  waiting.set(call, answered);
  process.send?.({ call, part, method, values: withoutSignals(values) });
  return answered.promise;
}

const OF_THE_ROUTER = /^(file|http|process): /;

function ownRouter({ home, binary }: NonNullable<Order["envoy"]>): EnvoyRouter {
  watchFilesAndCalls(points, home);
  return new EnvoyRouter({ home, envoyPath: binary });
}

function remoteEngine(envoy: Order["envoy"]): ReturnType<typeof realEngine> {
  const packager = new InMemoryModelPackager();
  return {
    registry: remote("registry", new InMemoryModelRegistry()),
    packager: remote("packager", packager),
    server: remote("server", new InMemoryModelServer(packager)),
    router: envoy === null ? remote("router", new InMemoryTrafficRouter()) : ownRouter(envoy),
    predictionLogs: new InMemoryPredictionLogs(),
  };
}

function ownEngine(tools: NonNullable<Order["real"]>): ReturnType<typeof realEngine> {
  watchFilesAndCalls(points, tools.home);
  return realEngine(tools);
}

async function carryOut({ order, database_url, settings, envoy, real, crash_at }: Order): Promise<void> {
  const database = createDatabase({ url: database_url, holder: `crash-${randomUUID()}` });
  const parts: Parts = {
    database,
    ...(real === null ? remoteEngine(envoy) : ownEngine(real)),
    workingMemory: remote("workingMemory", new InMemoryWorkingMemory()),
    episodicMemory: remote("episodicMemory", new InMemoryEpisodicMemory()),
    proceduralMemory: remote("proceduralMemory", new InMemoryProceduralMemory()),
  };
  const capabilities = createCapabilities(parts, settings);
  const graph = createModelDeployerGraph(capabilities);
  points.begin(crash_at, envoy === null ? onceUntilTheNextStatement() : (what) => OF_THE_ROUTER.test(what));
  const lived = await does(order, new ModelDeployerAgent(graph), new Worker(capabilities, graph));
  process.send?.({ ...lived, passed: points.passed });
}

/** How often a part that is not ready yet is asked again has no bound, so each such question counts once. */
function onceUntilTheNextStatement(): (what: string) => boolean {
  const asked = new Set<string>();
  return (what) => {
    if (!what.startsWith("http: ")) {
      asked.clear();
      return true;
    }
    const isNew = !asked.has(what);
    asked.add(what);
    return isNew;
  };
}

async function does(deed: Deed, agent: ModelDeployerAgent, worker: Worker) {
  try {
    const answer = deed.does === "tick" ? await worker.tick() : await agent.execute(requestOf(deed.request));
    return { answer, error: null };
  } catch (error) {
    return { answer: null, error: carry(error) };
  }
}

function requestOf({ deployment_action: action, ...rest }: Record<string, unknown>) {
  return { ...rest, deployment_action: String(action) };
}

watchStatements(points);
process.on("message", (message) => {
  const told = toChildSchema.parse(message);
  if ("order" in told) return void carryOut(told);
  const answered = waiting.get(told.reply);
  waiting.delete(told.reply);
  if ("error" in told) answered?.reject(restore(told.error));
  else answered?.resolve(told.value);
});
process.send?.({ ready: true });
await once(process, "disconnect");
process.exit();
