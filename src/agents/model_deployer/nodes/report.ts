import { AgentError } from "../../base/agent_error.ts";
import { Deadline } from "../../base/deadline.ts";
import { publishDegraded } from "../../base/diagnostics.ts";
import { RunMemory } from "../../base/memory.ts";
import type { Capabilities } from "../capabilities.ts";
import type { Parts } from "../parts.ts";
import type { ModelDeployerStateValue, ModelDeployerUpdate } from "../state.ts";
import { effectsOf, type NodeRuntime } from "./runtime.ts";

const DELIVERY_MS = 3000;
const ENTRIES = 20;

/** Brings what is committed to the registry and the memories, and names whoever did not take it. */
export async function report(
  capabilities: Pick<Capabilities, "parts" | "settings" | "delivery">,
  state: ModelDeployerStateValue,
  runtime: NodeRuntime,
): Promise<ModelDeployerUpdate> {
  if (effectsOf(runtime, capabilities.settings) === "dry-run") return {};
  const left = Deadline.current?.remainingMs ?? DELIVERY_MS;
  const signal = AbortSignal.timeout(Math.ceil(Math.min(DELIVERY_MS, left)));
  const [delivered, remembered] = await Promise.all([
    deliver(capabilities, signal),
    rememberManifest(capabilities.parts, state, signal),
  ]);
  const degraded = [...delivered, ...remembered];
  return { degraded, warnings: degraded };
}

/** The action is committed: what cannot be brought anywhere now is caught up later, even where nobody can be asked. */
async function deliver({ delivery }: Pick<Capabilities, "delivery">, signal: AbortSignal): Promise<string[]> {
  try {
    return await delivery.deliver(ENTRIES, { signal });
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const message = `the outbox is delivered later: ${error.message}`;
    publishDegraded({ part: "outbox", message });
    return [message];
  }
}

async function rememberManifest(
  { workingMemory }: Pick<Parts, "workingMemory">,
  { session_id: session, deployment_manifest: manifest }: ModelDeployerStateValue,
  signal: AbortSignal,
): Promise<string[]> {
  if (typeof session !== "string" || manifest === null || manifest === undefined) return [];
  const memory = new RunMemory({ workingMemory }, signal);
  await memory.use("working_memory", "does not hold the manifest", ({ workingMemory: working }, options) =>
    working.rememberManifest(session, { ...manifest }, options),
  );
  return memory.degraded;
}
