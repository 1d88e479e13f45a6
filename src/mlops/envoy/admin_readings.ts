import { z } from "zod";
import type { Route } from "../../agents/model_deployer/domain/traffic/rollout.ts";
import { ServiceRefusedError } from "../../agents/model_deployer/errors.ts";
import { INGRESS_FILTER } from "./ingress/ingress_filters.ts";
import { ingressPrefix } from "./ingress/ingress_listener.ts";
import { clusterDumpSchema, toKnownClusters } from "./clusters/cluster_dump.ts";
import type { KnownCluster } from "./clusters/known_cluster.ts";
import { routeConfigName, routeDumpSchema, toRoute } from "./route_config.ts";

/** This part's name in errors. */
export const envoyService = "envoy";

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

/** Envoy's state with one of its two discovery files. */
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

/** The parts of Envoy that enforce an endpoint's policy. */
export interface IngressSubscriptions {
  filters: Subscription;
  /** Its version is empty until it takes callers. */
  listener: Subscription;
}

const filtersPrefix = `extension_config_discovery.http_filter.${INGRESS_FILTER}`;
const listenerPrefix = "listener_manager.lds";
const warmingGauge = "listener_manager.total_listeners_warming";

/** The readings of one Envoy's admin interface, however that is reached. */
export abstract class EnvoyReadings {
  readonly endpointName: string;

  constructor(endpointName: string) {
    this.endpointName = endpointName;
  }

  /** The body of the answer to a GET; raises ServiceUnavailableError where there is none. */
  protected abstract readText(path: string, signal: AbortSignal): Promise<string>;

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

  /** Null for an Envoy that was started without files for these. */
  async ingress(signal: AbortSignal): Promise<IngressSubscriptions | null> {
    const prefixes = [filtersPrefix, listenerPrefix].map((prefix) => prefix.replaceAll(".", "\\."));
    const names = `(${prefixes.join("|")})\\.(version_text|update_rejected)`;
    const { values } = await this.stats(`^(${names}|${warmingGauge.replaceAll(".", "\\.")})$`, signal);
    if (!values.has(`${listenerPrefix}.update_rejected`)) return null;
    const read = (prefix: string): Subscription => ({
      version: String(values.get(`${prefix}.version_text`) ?? ""),
      rejected: Number(values.get(`${prefix}.update_rejected`) ?? 0),
    });
    const listener = read(listenerPrefix);
    const isWarming = Number(values.get(warmingGauge) ?? 0) > 0;
    return { filters: read(filtersPrefix), listener: isWarming ? { ...listener, version: "" } : listener };
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

  /** Identifies the run of the process: it differs after each start. `/server_info` has it too, among 120 KB. */
  async run(signal: AbortSignal): Promise<string> {
    const dump = await this.#read("/config_dump?mask=bootstrap.node.id", bootstrapDumpSchema, signal);
    return dump.configs[0].bootstrap.node.id;
  }

  async #read<T>(path: string, schema: z.ZodType<T>, signal: AbortSignal): Promise<T> {
    const text = await this.readText(path, signal);
    try {
      return schema.parse(JSON.parse(text));
    } catch (cause) {
      const message = `Envoy of ${this.endpointName}: unusable answer to ${path}`;
      throw new ServiceRefusedError(envoyService, message, { cause });
    }
  }
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
