import { ModelDeployerAgent } from "../../../src/agents/model_deployer/agent.ts";
import { createCapabilities } from "../../../src/agents/model_deployer/capabilities.ts";
import { createModelDeployerGraph } from "../../../src/agents/model_deployer/graph.ts";
import type { Parts } from "../../../src/agents/model_deployer/ports/parts.ts";
import { createDatabase } from "../../../src/database/index.ts";
import { EnvoyRouter } from "../../../src/mlops/envoy/envoy_router.ts";
import { Worker } from "../../../src/worker/worker.ts";
import {
  InMemoryEpisodicMemory,
  InMemoryProceduralMemory,
  InMemoryWorkingMemory,
} from "../../../src/testing/in_memory/memories.ts";
import { InMemoryModelPackager } from "../../../src/testing/in_memory/model_packager.ts";
import { InMemoryModelRegistry } from "../../../src/testing/in_memory/model_registry.ts";
import { InMemoryModelServer } from "../../../src/testing/in_memory/model_server.ts";
import { InMemoryPredictionLogs } from "../../../src/testing/in_memory/prediction_logs.ts";
import { InMemoryTrafficRouter } from "../../../src/testing/in_memory/traffic_router.ts";
import { type Call, type Order, received, sent, toProcessSchema } from "./messages.ts";

/**
 * A deployer in a process of its own, over the real database. What is outside lives in the process that started it, and
 * outlives it; before each call to it, and before each write to the journal, this one waits to be let on. A worker ends as
 * one should: at SIGTERM it does no more than what is under way.
 */
const waiting = new Map<number, PromiseWithResolvers<unknown>>();
let calls = 0;

function tell(call: Omit<Call, "call">): Promise<unknown> {
  calls += 1;
  const told = Promise.withResolvers<unknown>();
  waiting.set(calls, told);
  process.send?.({ call: calls, ...call });
  return told.promise;
}

const hasSignal = (value: unknown) => typeof value === "object" && value !== null && "signal" in value;

/** `own`: this process makes the call itself, once it is let on; else it is made where the part lives. */
function announced<T extends object>(part: string, port: T, { own }: { own: boolean }): T {
  return new Proxy(port, {
    get: (target, key) => {
      const member: unknown = Reflect.get(target, key);
      if (typeof member !== "function" || typeof key !== "string") return member;
      return async (...values: unknown[]): Promise<unknown> => {
        const takes_signal = values.some(hasSignal);
        const plain = own ? [] : values.filter((value) => !hasSignal(value));
        const value = await tell({ part, method: key, asks: !own, values: plain, takes_signal });
        return own ? Reflect.apply(member, target, values) : value;
      };
    },
  });
}

function partsOf({ database_url: url, holder, envoy }: Order) {
  const database = createDatabase({ url, holder });
  const packager = new InMemoryModelPackager();
  const there = { own: false };
  const parts: Parts = {
    database: { ...database, journal: announced("journal", database.journal, { own: true }) },
    registry: announced("registry", new InMemoryModelRegistry(), there),
    packager: announced("packager", packager, there),
    server: announced("server", new InMemoryModelServer(packager), there),
    router:
      envoy === null
        ? announced("router", new InMemoryTrafficRouter(), there)
        : announced("router", new EnvoyRouter({ home: envoy.home, envoyPath: envoy.envoy_path }), {
            own: true,
          }),
    predictionLogs: new InMemoryPredictionLogs(),
    workingMemory: announced("workingMemory", new InMemoryWorkingMemory(), there),
    episodicMemory: announced("episodicMemory", new InMemoryEpisodicMemory(), there),
    proceduralMemory: announced("proceduralMemory", new InMemoryProceduralMemory(), there),
  };
  return { parts, close: () => database.close() };
}

async function carryOut(order: Order): Promise<void> {
  const { parts, close } = partsOf(order);
  const capabilities = createCapabilities(parts, order.settings);
  const graph = createModelDeployerGraph(capabilities);
  const { request } = order;
  if (request === null) {
    const ended = new AbortController();
    process.once("SIGTERM", () => ended.abort());
    await new Worker(capabilities, graph).run({ signal: ended.signal, idleMs: 20 });
    process.send?.({ answer: {} });
  } else {
    const asked = { ...request, deployment_action: String(request["deployment_action"]) };
    const said = await new ModelDeployerAgent(graph).execute(asked).then(
      (answer) => ({ answer: { ...answer } }),
      (error: unknown) => ({ error: sent(error) }),
    );
    process.send?.(said);
  }
  await close();
  process.disconnect();
  // Connections to Envoy are kept for a while, and nothing is left to do.
  process.exit();
}

// Whoever answers its calls is gone.
process.once("disconnect", () => process.exit());
process.on("message", (message) => {
  const told = toProcessSchema.parse(message);
  if ("order" in told) return void carryOut(told.order);
  const answered = waiting.get(told.reply);
  waiting.delete(told.reply);
  if ("error" in told) answered?.reject(received(told.error));
  else answered?.resolve(told.value);
});
