import { AgentError } from "../../base/agent_error.ts";
import { Deadline } from "../../base/deadline.ts";
import { publishDegraded } from "../../base/diagnostics.ts";
import { RunMemory } from "../../base/memory.ts";
import type { Capabilities } from "../capabilities.ts";
import type { Parts } from "../ports/parts.ts";
import type { ModelDeployerStateValue, ModelDeployerUpdate } from "../state/state.ts";
import { effectsOf, isUrgent, type NodeRuntime } from "./runtime.ts";

const DELIVERY_MS = 3000;
/**
 * Limits for a rollback together with its report, for the report at least, and for recording deliveries that were not
 * made.
 */
const URGENT_MS = { altogether: 3000, atLeast: 750, toWriteDown: 250 };
const ENTRIES = 20;

/** Delivers committed changes to the registry and the memories, and names each that did not accept them. */
export async function report(
  capabilities: Pick<Capabilities, "parts" | "settings" | "delivery">,
  state: ModelDeployerStateValue,
  runtime: NodeRuntime,
): Promise<ModelDeployerUpdate> {
  if (effectsOf(runtime, capabilities.settings) === "dry-run") return {};
  const limitMs = isUrgent(state.action_request) ? urgentMs() : DELIVERY_MS;
  const left = Deadline.current?.remainingMs ?? limitMs;
  const signal = AbortSignal.timeout(Math.ceil(Math.min(limitMs, left)));
  const until = Deadline.current?.signal;
  const deadline = new Deadline(Math.min(limitMs + URGENT_MS.toWriteDown, left), {
    of: "bringing what is committed to the registry and the memories",
    ...(until && { until }),
  });
  const [delivered, remembered] = await deadline.run(() =>
    Promise.all([deliver(capabilities, signal), rememberManifest(capabilities.parts, state, signal)]),
  );
  const degraded = [...delivered, ...remembered];
  return { degraded, warnings: degraded };
}

function urgentMs(): number {
  const { altogether, atLeast, toWriteDown } = URGENT_MS;
  return Math.max(atLeast, altogether - toWriteDown - (Deadline.current?.elapsedMs ?? 0));
}

/** The action is committed: a delivery that fails now is made later, even where the outbox cannot be read. */
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
