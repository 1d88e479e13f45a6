import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { Route } from "../../../agents/model_deployer/domain/traffic/rollout.ts";
import type { VersionFigures } from "../../../agents/model_deployer/domain/evidence/figures.ts";
import { ServiceUnavailableError } from "../../../agents/model_deployer/errors.ts";
import { answerSeconds, PREDICTION_QUEUE } from "../../../agents/model_deployer/ports/model_server_port.ts";
import type { CallOptions } from "../../../agents/model_deployer/ports/call_options.ts";
import type {
  ServerAddress,
  TrafficRouter,
} from "../../../agents/model_deployer/ports/traffic_router_port.ts";
import { parsedJson } from "../../../platform/parsed_json.ts";
import { envoyService } from "../admin_readings.ts";
import { toBootstrap } from "../process/bootstrap.ts";
import { clusterDumpSchema, toKnownClusters } from "../clusters/cluster_dump.ts";
import { copiesAtOnce, type KnownCluster } from "../clusters/known_cluster.ts";
import { standardOutside } from "../clusters/outside_servers.ts";
import { toClusterFile } from "../clusters/cluster_file.ts";
import { assertEndpointName, checkRoute } from "../../shared/route_check.ts";
import { toRouteFile } from "../route_config.ts";
import { changeTraffic, type TrafficCarrier } from "../traffic_change.ts";
import { readCounts } from "../version_figures.ts";
import type { EnvoyFleet, KeptFiles } from "./fleet.ts";
import { FleetFence } from "./fleet_fence.ts";
import { combinedFigures, type CountsOfRun, nextNote, readNote } from "../../shared/combined_figures.ts";
import { FleetReadings, RemoteReadings } from "./fleet_readings.ts";
import { mendFiles } from "./mended_files.ts";
import { givenUpAsTyped } from "../../shared/given_up_call.ts";

/** Where each Envoy listens, and finds its files. */
export interface FleetPlaces {
  host: string;
  port: number;
  readings_port: number;
  /** A name of the Envoy's own. */
  admin_socket: string;
  folder: string;
  clusters_file: string;
  routes_file: string;
}

export interface FleetRouterOptions {
  fleet: EnvoyFleet;
  places: FleetPlaces;
  /** The longest that a server takes for one prediction; routes that are applied from now on wait a little longer. */
  predictionSeconds?: number;
  /** Requests that wait for one of a server's threads, at most; 64 unless given. */
  predictionQueue?: number;
  /** How long all Envoys may take to have what they were told in force, and how often they are asked. */
  acknowledgement?: { deadlineMs: number; pollMs: number };
}

/** A node that is slow to hand files to its pods takes about as long as its own round, a minute. */
const standardAcknowledgement = { deadlineMs: 90_000, pollMs: 100 };

const clusterFileSchema = z.object({ resources: z.array(z.unknown()) });

/**
 * Several Envoys for each endpoint, told what to do by files that somebody carries to them. A route is in force when each
 * Envoy that gets callers has acknowledged it.
 */
export class FleetRouter implements TrafficRouter {
  readonly #options: FleetRouterOptions;
  readonly #fleet: EnvoyFleet;
  readonly #answerSeconds: number;

  constructor(options: FleetRouterOptions) {
    this.#options = options;
    this.#fleet = options.fleet;
    this.#answerSeconds = answerSeconds(options.predictionSeconds);
  }

  async open(endpointName: string, { signal }: CallOptions): Promise<{ endpoint_url: string }> {
    assertEndpointName(endpointName);
    const nothing = { endpoint_name: endpointName, generation: 0, weights: {}, mirror_deployment_id: null };
    return typed(endpointName, signal, async () => {
      const asNew = {
        clusters: toClusterFile([]).content,
        routes: toRouteFile(nothing, this.#answerSeconds),
      };
      const bootstrap = toBootstrap({ endpoint_name: endpointName, ...this.#options.places });
      const opened = await this.#fleet.open({ endpoint_name: endpointName, bootstrap, ...asNew }, signal);
      const answered = { asNew, answerSeconds: this.#answerSeconds };
      await mendFiles(this.#fleet, endpointName, answered, signal);
      await this.#untilRouted(endpointName, signal);
      return opened;
    });
  }

  async apply(route: Route, servers: ServerAddress[], { signal }: CallOptions): Promise<Route> {
    const name = route.endpoint_name;
    assertEndpointName(name);
    return typed(name, signal, async () => {
      const kept = await this.#fleet.files(name, signal);
      const known = kept === null ? [] : clustersIn(kept);
      checkRoute(
        envoyService,
        route,
        servers,
        known.map((one) => one.deployment_id),
      );
      if (kept === null) throw notOpen(name);
      return changeTraffic(this.#carrier(name, signal), route, servers, signal);
    });
  }

  async observe(endpointName: string, { signal }: CallOptions): Promise<Route | null> {
    assertEndpointName(endpointName);
    return typed(endpointName, signal, () => this.#readings(endpointName).route(signal));
  }

  async figures(endpointName: string, { signal }: CallOptions): Promise<VersionFigures[]> {
    assertEndpointName(endpointName);
    return typed(endpointName, signal, async () => {
      for (;;) {
        const present = await this.#counts(endpointName, signal);
        const kept = await this.#fleet.files(endpointName, signal);
        if (kept === null || present.length === 0) throw notOpen(endpointName);
        const note = readNote(kept.note);
        const next = nextNote(note, present);
        if (next === null && note !== null) return combinedFigures(note, present);
        const change = { note: JSON.stringify(next) };
        if (next !== null) await this.#fleet.write(endpointName, kept, change, signal);
      }
    });
  }

  async close(endpointName: string, { signal }: CallOptions): Promise<void> {
    assertEndpointName(endpointName);
    await typed(endpointName, signal, () => this.#fleet.close(endpointName, signal));
  }

  /** Ready means that its listeners are open; the route's file follows within a moment. */
  async #untilRouted(endpointName: string, signal: AbortSignal): Promise<void> {
    const { deadlineMs, pollMs } = this.#options.acknowledgement ?? standardAcknowledgement;
    for (const began = performance.now(); performance.now() - began < deadlineMs;) {
      if ((await this.#readings(endpointName).route(signal)) !== null) return;
      await delay(pollMs, undefined, { signal });
    }
    const message = `no Envoy of endpoint ${endpointName} had a route within ${deadlineMs / 1000} s`;
    throw new ServiceUnavailableError(envoyService, message);
  }

  async #counts(endpointName: string, signal: AbortSignal): Promise<CountsOfRun[]> {
    const envoys = await this.#fleet.envoys(endpointName, signal);
    return Promise.all(
      envoys.map(async (envoy) => ({
        run: envoy.run,
        counts: await readCounts(new RemoteReadings(endpointName, envoy), signal),
      })),
    );
  }

  #readings(endpointName: string): FleetReadings {
    return new FleetReadings(endpointName, (signal) => this.#fleet.envoys(endpointName, signal));
  }

  #carrier(endpointName: string, signal: AbortSignal): TrafficCarrier {
    return {
      endpoint_name: endpointName,
      answer_seconds: this.#answerSeconds,
      outside: standardOutside,
      admin: this.#readings(endpointName),
      known: async () => {
        const kept = await this.#fleet.files(endpointName, signal);
        return kept === null ? [] : clustersIn(kept);
      },
      copies: async (asked) => {
        const envoys = await this.#fleet.envoys(endpointName, asked);
        return copiesAtOnce(this.#options.predictionQueue ?? PREDICTION_QUEUE, envoys.length);
      },
      fence: new FleetFence(this.#fleet, endpointName, signal),
      complaint: async () => {
        const envoys = await this.#fleet.envoys(endpointName, signal);
        const said = await Promise.all(envoys.map((envoy) => envoy.complaint(signal)));
        return said.find((line) => line !== "") ?? "it does not say why";
      },
      // Only what runs among the servers can reach them, and that is not this process everywhere.
      dial: () => Promise.resolve(),
      acknowledgement: this.#options.acknowledgement ?? standardAcknowledgement,
    };
  }
}

function clustersIn({ clusters }: KeptFiles): KnownCluster[] {
  const file = clusterFileSchema.safeParse(parsedJson(clusters)).data ?? { resources: [] };
  const configs = file.resources.map((cluster) => ({ cluster }));
  return toKnownClusters(clusterDumpSchema.parse({ configs }));
}

function notOpen(endpointName: string): ServiceUnavailableError {
  const message = `endpoint ${endpointName} has no listener; open it first`;
  return new ServiceUnavailableError(envoyService, message, { details: { endpoint_name: endpointName } });
}

const typed = <T>(endpointName: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> =>
  givenUpAsTyped({ service: envoyService, call: `the router of ${endpointName}`, signal }, work);
