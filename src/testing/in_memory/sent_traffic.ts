import {
  LATENCY_BOUNDS_MS,
  type VersionFigures,
} from "../../agents/model_deployer/domain/evidence/figures.ts";
import type { Route } from "../../agents/model_deployer/domain/traffic/rollout.ts";

/** How a deployment behaves under the traffic that a test sends; what is left out is flawless and has no latency. */
export interface Behaviour {
  /** Fraction of its requests, rounded to whole ones. */
  error_rate?: number;
  /** Fraction of its requests that it answers with 4xx, likewise. */
  client_error_rate?: number;
  p50_ms?: number;
  p99_ms?: number;
}

/** By how much requests under a route raise the counters of each deployment that gets a share, or copies. */
export function growthOf(
  route: Route,
  requests: number,
  behaviours: Record<string, Behaviour>,
): Omit<VersionFigures, "epoch">[] {
  const { mirror_deployment_id: mirror } = route;
  const shares = [...sharesOf(route, requests), ...(mirror === null ? [] : [[mirror, requests] as const])];
  return shares.map(([deployment_id, share]) => {
    const { error_rate = 0, client_error_rate = 0, p50_ms = 0, p99_ms = 0 } = behaviours[deployment_id] ?? {};
    const errors = Math.round(share * error_rate);
    const client_errors = Math.round(share * client_error_rate);
    const latency_counts = countsOf(share, p50_ms, p99_ms);
    return { deployment_id, requests: share, errors, client_errors, p50_ms, p99_ms, latency_counts };
  });
}

/** Two answers in a hundred take as long as the p99 says, the others as long as the p50. */
function countsOf(requests: number, p50: number, p99: number): number[] {
  const slow = Math.ceil(requests * 0.02);
  const counts = Array.from({ length: LATENCY_BOUNDS_MS.length + 1 }, () => 0);
  for (const [ms, count] of [
    [p50, requests - slow],
    [p99, slow],
  ] as const) {
    const bin = LATENCY_BOUNDS_MS.findIndex((bound) => ms <= bound);
    const index = bin === -1 ? LATENCY_BOUNDS_MS.length : bin;
    counts[index] = (counts[index] ?? 0) + count;
  }
  return counts;
}

/** Two counts, bin by bin. */
export const sumOf = (a: number[], b: number[]): number[] =>
  a.length >= b.length ? a.map((count, index) => count + (b[index] ?? 0)) : sumOf(b, a);

function sharesOf({ weights }: Route, requests: number): [string, number][] {
  const shares = Object.entries(weights)
    .sort(([, a], [, b]) => b - a)
    .map(([id, weight]): [string, number] => [id, Math.floor((requests * weight) / 100)]);
  const rest = requests - shares.reduce((sum, [, share]) => sum + share, 0);
  const heaviest = shares[0];
  if (heaviest !== undefined) heaviest[1] += rest;
  return shares;
}
