import type { Change } from "../domain/changes.ts";
import type { Deployment, Endpoint } from "../domain/entities.ts";
import { elsewhere } from "../domain/servers/engines.ts";
import { waitsFor } from "../domain/servers/server_restarts.ts";
import { count } from "../planning/wording/count.ts";
import { setStatus } from "../planning/route_switch.ts";
import type { WantedServer } from "./facts.ts";
import { killedForMemory, overMemory } from "./capacity/memory_limits.ts";
import { replicaDrift } from "./mended_replicas.ts";

/** A difference between what the database says and what is, before anything is done about it. */
export interface Drift {
  part: "registry" | "router" | "servers";
  /** The model version, endpoint or deployment that it is about. */
  subject: string;
  found: string;
  wanted: string;
  /** Why it is not repaired here; null where it is to be. */
  left: string | null;
}

/** Why a deployment's server is wanted, in words. */
export function purposeOf(id: string, { weights, mirror_deployment_id }: Endpoint): string {
  const weight = weights[id] ?? 0;
  if (weight > 0) return `for ${weight} % of the traffic`;
  return mirror_deployment_id === id ? "as the shadow" : "warm for a rollback";
}

/** An operation that would have ended it was overtaken, or a move of traffic went on without its dead shadow. */
export function unreachedDeployment({ deployment_id: subject, target_stage }: Deployment): Drift {
  const wanted = `a share of ${target_stage}'s requests, or its end; it is ended, deploy it anew where it is missed`;
  return { part: "servers", subject, found: "active, though no request reaches it", wanted, left: null };
}

/** What has had production's requests stays warm a while for a rollback. */
export const ends = ({ deployment_id, target_stage }: Deployment): Change =>
  setStatus(deployment_id, ["active"], "draining", {
    keepWarmSeconds: target_stage === "production" ? WARM_SECONDS : 0,
  });

const WARM_SECONDS = 300;

/** Some of its servers answer, and others do not. */
export function partialServer(server: WantedServer, endpoint: Endpoint): Drift {
  const { deployment, restarts } = server;
  const { found = "", left = null } = replicaDrift(server) ?? {};
  const id = deployment.deployment_id;
  const servers = `${count(deployment.replicas, "server")}${elsewhere(deployment.engine)}`;
  const wanted = `${servers}, ${purposeOf(id, endpoint)}`;
  return { part: "servers", subject: id, found, wanted, left: left ?? waitsFor(restarts) };
}

/** One of its servers holds more memory than its limit. */
export function serverOverLimit(server: WantedServer, endpoint: Endpoint): Drift {
  const { deployment, restarts } = server;
  const { found = "", left = null } = overMemory(server) ?? {};
  const id = deployment.deployment_id;
  const wanted = `at most ${deployment.memory_limit} each, ${purposeOf(id, endpoint)}`;
  return { part: "servers", subject: id, found, wanted, left: left ?? waitsFor(restarts) };
}

/** The machine has ended one of its servers for its memory; it runs again, so this is only reported. */
export function killedServer(server: WantedServer, endpoint: Endpoint): Drift[] {
  const found = killedForMemory(server);
  if (found === null) return [];
  const id = server.deployment.deployment_id;
  const wanted = `at most ${server.deployment.memory_limit} each, ${purposeOf(id, endpoint)}`;
  const left = "its machine has started it again; raise memory_limit by `update` where it needs more";
  return [{ part: "servers", subject: id, found, wanted, left }];
}
