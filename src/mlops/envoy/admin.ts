import { ExponentialBackoff, fullJitterGenerator, handleWhen, retry } from "cockatiel";
import { Pool } from "undici";
import { z } from "zod";
import type { Route } from "../../agents/model_deployer/domain/rollout.ts";
import { ServiceRefusedError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { Circuit } from "../../platform/circuit.ts";
import { hasCode } from "./generation_fence.ts";
import { ingressPrefix } from "./bootstrap.ts";
import { clusterDumpSchema, toKnownClusters, type KnownCluster } from "./cluster_config.ts";
import { routeConfigName, routeDumpSchema, toRoute } from "./route_config.ts";

/** The name under which errors speak of this part. */
export const envoyService = "envoy";

const callTimeoutMs = 3_000;
const tries = 3;

const quantilesSchema = z.object({
  supported_quantiles: z.array(z.number()),
  computed_quantiles: z.array(
    z.object({
      name: z.string(),
      values: z.array(z.object({ cumulative: z.number().nullable() })),
    }),
  ),
});
const statsSchema = z.object({
  stats: z.array(
    z.union([
      z.object({ name: z.string(), value: z.union([z.number(), z.string()]) }),
      z.object({ histograms: quantilesSchema }),
    ]),
  ),
});
const serverInfoSchema = z.object({ state: z.string(), node: z.object({ id: z.string().min(1) }) });

export interface Stats {
  /** Counters, gauges and texts by name. */
  values: Map<string, number | string>;
  /** By histogram, then by quantile in percent; null before the first value. */
  quantiles: Map<string, Map<number, number | null>>;
}

/** How far Envoy has come with one of its two files. */
export interface Subscription {
  /** The version in force; empty before the first. */
  version: string;
  rejected: number;
}

export type SubscriptionName = "clusters" | "routes";

const subscriptionPrefixes: Record<SubscriptionName, string> = {
  clusters: "cluster_manager.cds",
  routes: `http.${ingressPrefix}.rds.${routeConfigName}`,
};

/** One Envoy's admin interface, over its private unix socket. Each call raises ServiceUnavailableError. */
export class EnvoyAdmin {
  readonly #pool: Pool;
  readonly #endpointName: string;
  readonly #circuit = new Circuit({ service: envoyService, halfOpenAfterMs: 1_000, isOutage: isSilence });
  /** Reads alone are repeated, and only where the connection broke: who is silent is not asked to be silent again. */
  readonly #retry = retry(handleWhen(isBrokenOff), {
    maxAttempts: tries - 1,
    backoff: new ExponentialBackoff({ generator: fullJitterGenerator, initialDelay: 20, maxDelay: 200 }),
  });

  constructor(endpointName: string, socketPath: string) {
    this.#endpointName = endpointName;
    this.#pool = new Pool("http://envoy", { socketPath, connections: 3 });
  }

  async route(signal: AbortSignal): Promise<Route | null> {
    return toRoute(await this.#read("/config_dump?resource=dynamic_route_configs", routeDumpSchema, signal));
  }

  async clusters(signal: AbortSignal): Promise<KnownCluster[]> {
    const path = "/config_dump?resource=dynamic_active_clusters";
    return toKnownClusters(await this.#read(path, clusterDumpSchema, signal));
  }

  async subscriptions(signal: AbortSignal): Promise<Record<SubscriptionName, Subscription>> {
    const prefixes = Object.values(subscriptionPrefixes).map((prefix) => prefix.replaceAll(".", "\\."));
    const { values } = await this.stats(`^(${prefixes.join("|")})\\.(version_text|update_rejected)$`, signal);
    const read = (prefix: string): Subscription => ({
      version: String(values.get(`${prefix}.version_text`) ?? ""),
      rejected: Number(values.get(`${prefix}.update_rejected`) ?? 0),
    });
    return { clusters: read(subscriptionPrefixes.clusters), routes: read(subscriptionPrefixes.routes) };
  }

  /** @param filter a regular expression (RE2) over the full names */
  async stats(filter: string, signal: AbortSignal): Promise<Stats> {
    const path = `/stats?format=json&filter=${encodeURIComponent(filter)}`;
    const { stats } = await this.#read(path, statsSchema, signal);
    const found: Stats = { values: new Map(), quantiles: new Map() };
    for (const entry of stats) {
      if ("name" in entry) found.values.set(entry.name, entry.value);
      else addQuantiles(found.quantiles, entry.histograms);
    }
    return found;
  }

  /** `run` names this life of the process: it differs after each start. */
  async serverInfo(signal: AbortSignal): Promise<{ state: string; run: string }> {
    const { state, node } = await this.#read("/server_info", serverInfoSchema, signal);
    return { state, run: node.id };
  }

  /** Stops accepting connections and asks callers to close theirs; requests under way go on. */
  async stopListening(signal: AbortSignal): Promise<void> {
    await this.#call("POST", "/healthcheck/fail", signal);
    await this.#call("POST", "/drain_listeners", signal);
  }

  async disconnect(): Promise<void> {
    await this.#pool.destroy();
  }

  async #read<T>(path: string, schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    const text = await this.#retry.execute(() => this.#call("GET", path, signal));
    try {
      return schema.parse(JSON.parse(text));
    } catch (cause) {
      throw new ServiceRefusedError(
        envoyService,
        `Envoy of ${this.#endpointName}: unusable answer to ${path}`,
        {
          cause,
        },
      );
    }
  }

  async #call(method: "GET" | "POST", path: string, signal: AbortSignal): Promise<string> {
    return this.#circuit.run(`answer ${path}`, signal, () => this.#send(method, path, signal));
  }

  async #send(method: "GET" | "POST", path: string, signal: AbortSignal): Promise<string> {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]);
    try {
      const answer = await this.#pool.request({ method, path, signal: bounded });
      const text = await answer.body.text();
      if (answer.statusCode === 200) return text;
      throw new ServiceRefusedError(
        envoyService,
        `Envoy of ${this.#endpointName}: ${path} answered ${answer.statusCode}: ${text.slice(0, 200)}`,
      );
    } catch (cause) {
      if (cause instanceof ServiceRefusedError) throw cause;
      const absent = hasCode(cause, "ENOENT") || hasCode(cause, "ECONNREFUSED");
      const what = absent ? "is not running; open the endpoint" : `did not answer ${path}`;
      const failure = absent ? "absent" : bounded.aborted ? "silent" : "broken_off";
      throw new ServiceUnavailableError(envoyService, `Envoy of ${this.#endpointName} ${what}`, {
        cause,
        details: { endpoint_name: this.#endpointName, failure },
      });
    }
  }
}

function isSilence(error: unknown): boolean {
  return error instanceof ServiceUnavailableError && error.details["failure"] === "silent";
}

function isBrokenOff(error: unknown): boolean {
  return error instanceof ServiceUnavailableError && error.details["failure"] === "broken_off";
}

function addQuantiles(into: Stats["quantiles"], histograms: z.infer<typeof quantilesSchema>): void {
  for (const { name, values } of histograms.computed_quantiles) {
    const byQuantile = histograms.supported_quantiles.map((quantile, index) => {
      return [quantile, values[index]?.cumulative ?? null] as const;
    });
    into.set(name, new Map(byQuantile));
  }
}
