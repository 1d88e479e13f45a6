import type { Route } from "../../../agents/model_deployer/domain/traffic/rollout.ts";
import { EnvoyReadings, type Stats, type Subscription, type SubscriptionName } from "../admin_readings.ts";
import type { KnownCluster } from "../clusters/known_cluster.ts";
import { toClusterFile } from "../clusters/cluster_file.ts";
import type { FleetEnvoy } from "./fleet.ts";

/** One Envoy of several, asked from elsewhere. */
export class RemoteReadings extends EnvoyReadings {
  readonly #envoy: FleetEnvoy;

  constructor(endpointName: string, envoy: FleetEnvoy) {
    super(endpointName);
    this.#envoy = envoy;
  }

  protected override readText(path: string, signal: AbortSignal): Promise<string> {
    return this.#envoy.ask(path, signal);
  }
}

/**
 * All Envoys of an endpoint as one: what is in force is in force on each of them. Which ones there are is found anew with
 * each question.
 */
export class FleetReadings {
  readonly #endpointName: string;
  readonly #envoys: (signal: AbortSignal) => Promise<FleetEnvoy[]>;

  constructor(endpointName: string, envoys: (signal: AbortSignal) => Promise<FleetEnvoy[]>) {
    this.#endpointName = endpointName;
    this.#envoys = envoys;
  }

  /** The oldest that one of them has; null where there is none, or one has no route yet. */
  async route(signal: AbortSignal): Promise<Route | null> {
    const routes = await this.#each((one) => one.route(signal), signal);
    return routes.reduce<Route | null>(
      (oldest, one) =>
        one === null || oldest === null ? null : one.generation < oldest.generation ? one : oldest,
      routes[0] ?? null,
    );
  }

  /** None while they differ. */
  async clusters(signal: AbortSignal): Promise<KnownCluster[]> {
    const known = await this.#each((one) => one.clusters(signal), signal);
    const versions = new Set(known.map((clusters) => toClusterFile(clusters).version));
    return versions.size === 1 ? (known[0] ?? []) : [];
  }

  /** The version is empty while they differ; rejections are those of all. */
  async subscriptions(signal: AbortSignal): Promise<Record<SubscriptionName, Subscription>> {
    const all = await this.#each((one) => one.subscriptions(signal), signal);
    const combined = (name: SubscriptionName): Subscription => {
      const versions = new Set(all.map((one) => one[name].version));
      const rejected = all.reduce((sum, one) => sum + one[name].rejected, 0);
      return { version: versions.size === 1 ? (all[0]?.[name].version ?? "") : "", rejected };
    };
    return { clusters: combined("clusters"), routes: combined("routes") };
  }

  /** Sums of counters and gauges; histograms are left out, for quantiles have no sum. */
  async stats(filter: string, signal: AbortSignal): Promise<Stats> {
    const values: Stats["values"] = new Map();
    for (const one of await this.#each((envoy) => envoy.stats(filter, signal), signal)) {
      for (const [name, value] of one.values) {
        values.set(name, Number(values.get(name) ?? 0) + Number(value));
      }
    }
    return { values, histograms: new Map() };
  }

  async #each<T>(ask: (one: RemoteReadings) => Promise<T>, signal: AbortSignal): Promise<T[]> {
    const envoys = await this.#envoys(signal);
    return Promise.all(envoys.map((envoy) => ask(new RemoteReadings(this.#endpointName, envoy))));
  }
}
