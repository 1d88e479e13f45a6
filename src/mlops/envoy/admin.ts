import { ExponentialBackoff, fullJitterGenerator, handleWhen, retry } from "cockatiel";
import { Pool } from "undici";
import { z } from "zod";
import { inSpan, traceHeaders } from "../../agents/base/tracing.ts";
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

const histogramsSchema = z.object({
  supported_percentiles: z.array(z.number()).default([]),
  details: z
    .array(
      z.object({
        name: z.string(),
        totals: z.array(z.object({ lower_bound: z.number(), width: z.number(), count: z.int() })),
        percentiles: z.array(z.object({ cumulative: z.number().nullable() })),
      }),
    )
    .default([]),
});
const statsSchema = z.object({
  stats: z.array(
    z.union([
      z.object({ name: z.string(), value: z.union([z.number(), z.string()]) }),
      z.object({ histograms: histogramsSchema }),
    ]),
  ),
});
const serverInfoSchema = z.object({ state: z.string() });
const bootstrapDumpSchema = z.object({
  configs: z.tuple([z.object({ bootstrap: z.object({ node: z.object({ id: z.string().min(1) }) }) })]),
});

export interface Stats {
  /** Counters, gauges and texts by name. */
  values: Map<string, number | string>;
  histograms: Map<string, Histogram>;
}

export interface Histogram {
  /** By percent; null before the first value. */
  quantiles: Map<number, number | null>;
  /** Values counted by ranges, whose ends have two significant digits: those below `to`, and none above. */
  counts: { to: number; count: number }[];
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
    const path = `/stats?format=json&histogram_buckets=detailed&filter=${encodeURIComponent(filter)}`;
    const { stats } = await this.#read(path, statsSchema, signal);
    const found: Stats = { values: new Map(), histograms: new Map() };
    for (const entry of stats) {
      if ("name" in entry) found.values.set(entry.name, entry.value);
      else addHistograms(found.histograms, entry.histograms);
    }
    return found;
  }

  async state(signal: AbortSignal): Promise<string> {
    return (await this.#read("/server_info", serverInfoSchema, signal)).state;
  }

  /** The name of this life of the process: it differs after each start. `/server_info` has it too, among 120 KB. */
  async run(signal: AbortSignal): Promise<string> {
    const dump = await this.#read("/config_dump?mask=bootstrap.node.id", bootstrapDumpSchema, signal);
    return dump.configs[0].bootstrap.node.id;
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
    const [what] = path.split("?");
    const attributes = { "http.request.method": method, endpoint_name: this.#endpointName };
    const send = () => this.#send(method, path, signal);
    return this.#circuit.run(`answer ${path}`, signal, () =>
      inSpan(`Envoy ${method} ${what}`, attributes, send, "client"),
    );
  }

  async #send(method: "GET" | "POST", path: string, signal: AbortSignal): Promise<string> {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]);
    try {
      const answer = await this.#pool.request({ method, path, headers: traceHeaders(), signal: bounded });
      const text = await answer.body.text();
      if (answer.statusCode === 200) return text;
      throw new ServiceRefusedError(
        envoyService,
        `Envoy of ${this.#endpointName}: ${path} answered ${answer.statusCode}: ${text.slice(0, 200)}`,
      );
    } catch (cause) {
      if (cause instanceof ServiceRefusedError) throw cause;
      const absent = hasCode(cause, "ENOENT") || hasCode(cause, "ECONNREFUSED");
      const what = absent
        ? "is not running; a worker starts it, or `reconcile` at once"
        : `did not answer ${path}`;
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

function addHistograms(into: Stats["histograms"], found: z.infer<typeof histogramsSchema>): void {
  for (const { name, percentiles, totals } of found.details) {
    const quantiles = found.supported_percentiles.map((percent, index) => {
      return [percent, percentiles[index]?.cumulative ?? null] as const;
    });
    const counts = totals.map(({ lower_bound, width, count }) => ({ to: lower_bound + width, count }));
    into.set(name, { quantiles: new Map(quantiles), counts });
  }
}
