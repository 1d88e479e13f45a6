import { resolve } from "node:path";
import type { Route, VersionFigures } from "../../agents/model_deployer/domain/rollout.ts";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import {
  answerSeconds,
  type CallOptions,
  type ServerAddress,
  type TrafficRouter,
} from "../../agents/model_deployer/ports.ts";
import { EnvoyAdmin, envoyService } from "./admin.ts";
import { endpointFolder, LOOPBACK, readListener, type EndpointFolder } from "./endpoint_folder.ts";
import { isRunning, startEnvoy, stopEnvoy } from "./envoy_process.ts";
import { readFigures } from "./figures.ts";
import { type FenceFiles, filesWithRoom, GenerationFence } from "./generation_fence.ts";
import { assertEndpointName, checkRoute } from "./route_check.ts";
import { changeTraffic } from "./traffic_change.ts";

export interface EnvoyRouterOptions {
  /** The project's folder for what outlives a process; endpoints go to `<home>/router/<endpoint>`. */
  home: string;
  /** The Envoy binary. */
  envoyPath: string;
  /** IPv4 address that endpoints listen at which are opened for the first time: 127.0.0.1. */
  bindHost?: string;
  /** What servers take for one prediction at most; routes that are applied from now on wait a little longer. */
  predictionSeconds?: number;
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
export class EnvoyRouter implements TrafficRouter {
  readonly #options: EnvoyRouterOptions;
  readonly #files: FenceFiles;
  readonly #admins = new Map<string, EnvoyAdmin>();

  constructor(options: EnvoyRouterOptions) {
    this.#options = { ...options, home: resolve(options.home) };
    this.#files = filesWithRoom(options.makeRoom ?? (() => false));
  }

  async open(endpointName: string, { signal }: CallOptions): Promise<{ endpoint_url: string }> {
    const folder = this.#folder(endpointName);
    const { bindHost = LOOPBACK, envoyPath } = this.#options;
    const { host, port } = await startEnvoy(folder, { envoyPath, bindHost, files: this.#files }, signal);
    return { endpoint_url: `http://${host === EVERY_ADDRESS ? LOOPBACK : host}:${port}` };
  }

  /** Besides what the port names: ConflictError when a newer generation is on its way but not yet in force. */
  async apply(route: Route, servers: ServerAddress[], { signal }: CallOptions): Promise<Route> {
    checkRoute(envoyService, route, servers);
    const folder = this.#folder(route.endpoint_name);
    const admin = await this.#runningAdmin(folder);
    const fence = new GenerationFence(folder, this.#files);
    return changeTraffic({ folder, admin, fence, signal }, route, servers);
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
