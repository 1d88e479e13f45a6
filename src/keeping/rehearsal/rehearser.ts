import { AgentError } from "../../agents/base/agent_error.ts";
import { serving } from "../../agents/model_deployer/domain/traffic/weights.ts";
import type { Deployment, Endpoint } from "../../agents/model_deployer/domain/entities.ts";
import type { SampleOutcome, StartServer } from "../../agents/model_deployer/ports/model_server_port.ts";

export interface Rehearsal {
  endpoint_name: string;
  /** The way back; null where there is none. */
  deployment_id: string | null;
  /** `unready`: it cannot be started without something being made or fetched first. */
  outcome: "works" | "fails" | "unready" | "none";
  /** From the start of its process to its first answer. */
  cold_seconds: number | null;
  reason: string;
}

/** Where a rehearsal starts its servers: no router sends to them, and each is stopped again. */
export interface RehearsalPlace {
  /** Why the deployment cannot be started here as it is; null where nothing has to be made or fetched. */
  lacks(deployment: Pick<Deployment, "bento_tag" | "engine">): Promise<string | null>;
  start(server: StartServer, signal: AbortSignal): Promise<void>;
  trySample(deploymentId: string, signal: AbortSignal): Promise<SampleOutcome>;
  stop(deploymentId: string, signal: AbortSignal): Promise<void>;
}

export interface RehearserParts {
  endpoints: () => Promise<Endpoint[]>;
  /** The deployment that a rollback of this one would bring back. */
  wayBackOf: (deploymentId: string) => Promise<{ current: Deployment | null; previous: Deployment | null }>;
  stage: RehearsalPlace;
  keep: (rehearsal: Rehearsal) => Promise<void>;
  /** Milliseconds that only go forward. */
  now: () => number;
}

const STOP_MS = 60_000;

/**
 * Starts the way back of each production endpoint once without traffic, asks it the model's own example, and stops
 * it: one after the other, so that a machine needs room for one more server only.
 * @param endpointName all production endpoints unless given
 */
export async function rehearse(
  parts: RehearserParts,
  endpointName: string | null,
  signal: AbortSignal,
): Promise<Rehearsal[]> {
  const rehearsed: Rehearsal[] = [];
  for (const endpoint of await parts.endpoints()) {
    if (endpointName !== null && endpoint.endpoint_name !== endpointName) continue;
    const [first] = serving(endpoint.weights);
    const { current, previous } = first === undefined ? nothing : await parts.wayBackOf(first);
    if (current?.target_stage !== "production") continue;
    const rehearsal = await rehearseOne(parts, endpoint.endpoint_name, previous, signal);
    await parts.keep(rehearsal);
    rehearsed.push(rehearsal);
  }
  return rehearsed;
}

const nothing = { current: null, previous: null };

async function rehearseOne(
  { stage, now }: RehearserParts,
  endpoint_name: string,
  previous: Deployment | null,
  signal: AbortSignal,
): Promise<Rehearsal> {
  const ended = (outcome: Rehearsal["outcome"], reason: string, cold_seconds: number | null = null) => ({
    ...{ endpoint_name, deployment_id: previous?.deployment_id ?? null, outcome, reason, cold_seconds },
  });
  if (previous === null) return ended("none", "no other deployment has served production here");
  const { deployment_id, bento_tag, cpu_limit, memory_limit, autoscaling } = previous;
  const lacks = await stage.lacks(previous);
  if (lacks !== null) return ended("unready", lacks);
  const resources = { replicas: 1, cpu_limit, memory_limit, autoscaling };
  const began = now();
  try {
    await stage.start({ deployment_id, bento_tag, resources, served_before: true }, signal);
    const sample = await stage.trySample(deployment_id, signal);
    const seconds = Math.round(now() - began) / 1000;
    if (sample.sample === "failed") return ended("fails", `its own example fails: ${sample.reason}`);
    const said =
      sample.sample === "none" ? "it has no example of its own to predict" : "it predicts its example";
    return ended("works", `${bento_tag} started cold and answers; ${said}`, seconds);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return ended("fails", error.message);
  } finally {
    await stage.stop(deployment_id, AbortSignal.timeout(STOP_MS));
  }
}
