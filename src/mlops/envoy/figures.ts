import { LATENCY_BOUNDS_MS, type VersionFigures } from "../../agents/model_deployer/domain/rollout.ts";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { envoyService, type EnvoyAdmin, type Histogram, type Stats } from "./admin.ts";

/**
 * What Envoy has counted for each deployment that got a request, mirrored ones included.
 *
 * A request counts when it is over: answered, reset or timed out, the latter two as 503 and 504. Requests that a circuit
 * breaker kept from the server count neither as requests nor as errors. Quantiles are Envoy's own, over the counters' life,
 * up to one second old. Runs of failures are what its outlier detection has seen, tries of one request counted each.
 */
export async function readFigures(admin: EnvoyAdmin, signal: AbortSignal): Promise<VersionFigures[]> {
  const run = await admin.run(signal);
  const clusters = await admin.clusters(signal);
  const stats = await admin.stats(
    "^cluster\\..*\\.(upstream_rq_(completed|5xx|pending_overflow|time)|outlier_detection\\.ejections_detected_consecutive_5xx)$",
    signal,
  );
  if ((await admin.run(signal)) !== run) {
    throw new ServiceUnavailableError(envoyService, "Envoy was restarted while its counters were read");
  }
  return clusters
    .map(({ deployment_id, added_in }) => ({
      deployment_id,
      epoch: `${run}/${added_in}`,
      ...toCounts(stats, deployment_id),
    }))
    .filter(({ requests }) => requests > 0)
    .sort((a, b) => (a.deployment_id < b.deployment_id ? -1 : 1));
}

function toCounts(
  { values, histograms }: Stats,
  deploymentId: string,
): Omit<VersionFigures, "deployment_id" | "epoch"> {
  const count = (name: string) => Number(values.get(`cluster.${deploymentId}.${name}`) ?? 0);
  const kept = count("upstream_rq_pending_overflow");
  const time = histograms.get(`cluster.${deploymentId}.upstream_rq_time`);
  return {
    requests: Math.max(0, count("upstream_rq_completed") - kept),
    errors: Math.max(0, count("upstream_rq_5xx") - kept),
    p50_ms: time?.quantiles.get(50) ?? null,
    p99_ms: time?.quantiles.get(99) ?? null,
    failure_runs: count("outlier_detection.ejections_detected_consecutive_5xx"),
    latency_counts: toLatencyCounts(time?.counts ?? []),
  };
}

/** By the first bound that none of a range's values exceeds, so that "at most" holds of all that is counted under it. */
export function toLatencyCounts(counts: Histogram["counts"]): number[] {
  const bins = Array.from({ length: LATENCY_BOUNDS_MS.length + 1 }, () => 0);
  for (const { to, count } of counts) {
    const bin = LATENCY_BOUNDS_MS.findIndex((bound) => to <= bound);
    const index = bin === -1 ? LATENCY_BOUNDS_MS.length : bin;
    bins[index] = (bins[index] ?? 0) + count;
  }
  return bins;
}
