import { resolve } from "node:path";
import { type Ingress, openIngress } from "../../agents/model_deployer/domain/access/ingress_policy.ts";
import type { Route } from "../../agents/model_deployer/domain/traffic/rollout.ts";
import type { VersionFigures } from "../../agents/model_deployer/domain/evidence/figures.ts";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { withRoom } from "../../agents/model_deployer/file_errors.ts";
import { answerSeconds, PREDICTION_QUEUE } from "../../agents/model_deployer/ports/model_server_port.ts";
import type { CallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import type { EndpointIngress } from "../../agents/model_deployer/ports/ingress_ports.ts";
import type { ServerAddress, TrafficRouter } from "../../agents/model_deployer/ports/traffic_router_port.ts";
import { EnvoyAdmin } from "./admin.ts";
import { envoyService } from "./admin_readings.ts";
import { dial } from "./dialled_server.ts";
import { copiesAtOnce } from "./clusters/known_cluster.ts";
import { type OutsideServers, standardOutside } from "./clusters/outside_servers.ts";
import { endpointFolder, type EndpointFolder, type Listener, readListener } from "./endpoint_folder.ts";
import { isRunning, lastComplaint } from "./process/running_envoy.ts";
import { type StartOptions, startEnvoy, stopEnvoy } from "./process/envoy_process.ts";
import { changeIngress, revisionOf } from "./ingress/ingress_change.ts";
import { ingressCarrier, IngressFiles } from "./ingress/ingress_files.ts";
import { readFigures } from "./version_figures.ts";
import { type FenceFiles, filesWithRoom, GenerationFence } from "./generation_fence.ts";
import { assertEndpointName, checkRoute, neededDeployments } from "../shared/route_check.ts";
import { changeTraffic, type TrafficCarrier } from "./traffic_change.ts";
import { LOOPBACK } from "../../platform/loopback.ts";

export interface EnvoyRouterOptions {
  /** The project's folder for what outlives a process; endpoints go to `<home>/router/<endpoint>`. */
  home: string;
  /** The Envoy binary; null for whoever asks and tells those that run, and starts none. */
  envoyPath: string | null;
  /** IPv4 address of endpoints that are opened for the first time; 127.0.0.1 unless given. */
  bindHost?: string;
  /** The host that callers reach endpoints by, in their addresses; that of the listener unless given. */
  endpointHost?: string;
  /** The longest that a server takes for one prediction; routes that are applied from now on wait a little longer. */
  predictionSeconds?: number;
  /** Requests that wait for one of a server's threads, at most; 64 unless given. */
  predictionQueue?: number;
  /** Servers that are reached over TLS. */
  outside?: OutsideServers;
  /** Who may call an endpoint, as its policy has it at this moment; everybody may where nobody says. */
  ingressOf?: (endpointName: string) => Promise<Ingress>;
  /** Called when the disk is full; true when there may be room now. */
  makeRoom?: () => boolean;
}

const EVERY_ADDRESS = "0.0.0.0";

/**
 * One Envoy process for each endpoint, told what to do by files that it watches.
 *
 * Every answer carries `x-request-id` (the caller's, or a new one), `x-endpoint-generation`, and `x-deployment-id` when a
 * deployment was chosen. An endpoint keeps its address for ever: closing it, or the death of its Envoy, ends the listener
 * only, and `open` brings it back with the route that was last applied.
 */
export class EnvoyRouter implements TrafficRouter, EndpointIngress {
  readonly #options: EnvoyRouterOptions;
  readonly #files: FenceFiles;
  readonly #admins = new Map<string, EnvoyAdmin>();

  constructor(options: EnvoyRouterOptions) {
    this.#options = { ...options, home: resolve(options.home) };
    this.#files = filesWithRoom(options.makeRoom);
  }

  async open(endpointName: string, { signal }: CallOptions): Promise<{ endpoint_url: string }> {
    const folder = this.#folder(endpointName);
    const { endpointHost } = this.#options;
    const start = this.#start(endpointName);
    if (start === null) throw startsNone(endpointName);
    const { host, port } = await this.#startEnvoy(folder, start, signal);
    const { policy } = await this.#enforce(folder, start, signal);
    const shown = endpointHost ?? (host === EVERY_ADDRESS ? LOOPBACK : host);
    return { endpoint_url: `${policy.tls === null ? "http" : "https"}://${shown}:${port}` };
  }

  async guards(): Promise<boolean> {
    return true;
  }

  async enforce(endpointName: string, { signal }: CallOptions): Promise<number | null> {
    const folder = this.#folder(endpointName);
    if (!(await isRunning(folder))) return null;
    return (await this.#enforce(folder, this.#start(endpointName), signal)).revision;
  }

  async enforced(endpointName: string, { signal }: CallOptions): Promise<number | null> {
    const folder = this.#folder(endpointName);
    const admin = await this.#admin(folder);
    if (admin === null || !(await isRunning(folder))) return null;
    const found = await admin.ingress(signal);
    return found === null ? 0 : revisionOf(found);
  }

  /** An Envoy that an earlier version started is started again, where there is something to enforce. */
  async #enforce(folder: EndpointFolder, start: StartOptions | null, signal: AbortSignal): Promise<Ingress> {
    const ingress = await this.#ingressOf(folder.endpoint_name);
    const admin = await this.#runningAdmin(folder);
    const listener = await readListener(folder);
    if (listener === null) return ingress;
    if ((await admin.ingress(signal)) === null) {
      if (ingress.revision === 0) return ingress;
      if (start === null) throw startsNone(folder.endpoint_name);
      await stopEnvoy(folder, listener, signal);
      await this.#startEnvoy(folder, start, signal);
    }
    const files = new IngressFiles(folder, listener, this.#files);
    const carrier = await ingressCarrier(files, admin, () => lastComplaint(folder));
    return { ...ingress, revision: await changeIngress(carrier, ingress, signal) };
  }

  #startEnvoy(...start: Parameters<typeof startEnvoy>): Promise<Listener> {
    return withRoom(this.#options.makeRoom, () => startEnvoy(...start));
  }

  #start(endpointName: string): StartOptions | null {
    const { bindHost = LOOPBACK, envoyPath } = this.#options;
    const ingressOf = () => this.#ingressOf(endpointName);
    return envoyPath === null ? null : { envoyPath, bindHost, files: this.#files, ingressOf };
  }

  async #ingressOf(endpointName: string): Promise<Ingress> {
    return (await this.#options.ingressOf?.(endpointName)) ?? openIngress(endpointName);
  }

  /** Besides what the port names: ConflictError when a newer generation is on its way but not yet in force. */
  async apply(route: Route, servers: ServerAddress[], { signal }: CallOptions): Promise<Route> {
    const folder = this.#folder(route.endpoint_name);
    checkRoute(envoyService, route, servers, await this.#knownBeside(servers, route, folder, signal));
    const admin = await this.#runningAdmin(folder);
    return changeTraffic(this.#carrier(folder, admin), route, servers, signal);
  }

  async observe(endpointName: string, { signal }: CallOptions): Promise<Route | null> {
    const folder = this.#folder(endpointName);
    const admin = await this.#admin(folder);
    if (admin === null || !(await isRunning(folder))) return null;
    return admin.route(signal);
  }

  async figures(endpointName: string, { signal }: CallOptions): Promise<VersionFigures[]> {
    return readFigures(await this.#runningAdmin(this.#folder(endpointName)), signal);
  }

  async close(endpointName: string, { signal }: CallOptions): Promise<void> {
    const folder = this.#folder(endpointName);
    const listener = await readListener(folder);
    if (listener !== null) await stopEnvoy(folder, listener, signal);
    await this.#admins.get(endpointName)?.disconnect();
    this.#admins.delete(endpointName);
  }

  #carrier(folder: EndpointFolder, admin: EnvoyAdmin): TrafficCarrier {
    const fence = new GenerationFence(folder, this.#files);
    return {
      endpoint_name: folder.endpoint_name,
      answer_seconds: folder.answer_seconds,
      admin,
      outside: this.#options.outside ?? standardOutside,
      known: (signal) => admin.clusters(signal),
      copies: () => Promise.resolve(copiesAtOnce(this.#options.predictionQueue ?? PREDICTION_QUEUE, 1)),
      fence: {
        claim: (generation) => fence.claim(generation),
        publish: (generation, name, content) => fence.publish(generation, folder[name], content),
      },
      complaint: () => lastComplaint(folder),
      dial,
      acknowledgement: { deadlineMs: 5_000, pollMs: 1 },
    };
  }

  /** Asked only where an address is missing. */
  async #knownBeside(
    servers: readonly ServerAddress[],
    route: Route,
    folder: EndpointFolder,
    signal: AbortSignal,
  ): Promise<string[]> {
    const given = servers.map((server) => server.deployment_id);
    if (neededDeployments(route).every((id) => given.includes(id))) return [];
    const admin = await this.#admin(folder);
    if (admin === null) return [];
    return (await admin.clusters(signal)).map((cluster) => cluster.deployment_id);
  }

  #folder(endpointName: string): EndpointFolder {
    assertEndpointName(endpointName);
    const { home, predictionSeconds } = this.#options;
    return endpointFolder(home, endpointName, answerSeconds(predictionSeconds));
  }

  async #runningAdmin(folder: EndpointFolder): Promise<EnvoyAdmin> {
    const admin = await this.#admin(folder);
    if (admin !== null) return admin;
    const name = folder.endpoint_name;
    throw new ServiceUnavailableError(envoyService, `endpoint ${name} has no listener; open it first`, {
      details: { endpoint_name: name },
    });
  }

  /** Null when the endpoint was never opened. */
  async #admin(folder: EndpointFolder): Promise<EnvoyAdmin | null> {
    const known = this.#admins.get(folder.endpoint_name);
    if (known !== undefined) return known;
    const listener = await readListener(folder);
    if (listener === null) return null;
    const admin = new EnvoyAdmin(folder.endpoint_name, listener.admin_socket);
    this.#admins.set(folder.endpoint_name, admin);
    return admin;
  }
}

function startsNone(endpointName: string): ServiceUnavailableError {
  return new ServiceUnavailableError(
    envoyService,
    `the router of endpoint ${endpointName} has to be started by this version: a worker does it, or \`model-deployer reconcile\``,
    { details: { endpoint_name: endpointName } },
  );
}
