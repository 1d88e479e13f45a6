import type { Deployment, Endpoint, ModelVersion } from "../domain/entities.ts";
import type { Life } from "../domain/servers/liveness.ts";
import type { Route } from "../domain/traffic/rollout.ts";
import type { Busy, ServerState } from "../domain/servers/running_server.ts";
import type { Restarts } from "../domain/servers/server_restarts.ts";

/** One of a ready deployment's servers, counted from 1. */
export interface WantedReplica {
  replica: number;
  life: Life;
}

export interface UsedByReplica {
  replica: number;
  memory_bytes: number;
  age_seconds: number;
  /** How often the machine has ended it for its memory since the last look. */
  killed: number;
}

/** Another number of servers, and the CPU in percent of its limit that asks for it. */
export interface Scale {
  replicas: number;
  percent: number;
}

/** A deployment whose server has to answer: it is on the route, or is kept warm for a rollback. */
export interface WantedServer {
  deployment: Deployment;
  version: ModelVersion;
  /** Null when it could not be asked. */
  state: ServerState | null;
  /** Null when it could not be asked. */
  life: Life | null;
  /** Of a ready deployment; null where it is not, or the engine looks after their number itself. */
  replicas: WantedReplica[] | null;
  /** The use of its servers; empty where that is not measured. */
  usage: UsedByReplica[];
  /** Null where the number of servers stays. */
  scale: Scale | null;
  /** Null unless its last restart failed. */
  restarts: Restarts | null;
}

export interface EndpointFacts {
  endpoint: Endpoint;
  busy: Busy | null;
  /** The candidate of the open rollout, whose end is the rollout's to decide. */
  candidate_id: string | null;
  /** The router's route; null without a listener, undefined when it could not be asked. */
  route: Route | null | undefined;
  servers: WantedServer[];
  /** They count as serving, and neither a share nor the mirror leads to them. */
  unreached: Deployment[];
}
