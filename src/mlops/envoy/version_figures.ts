import {
  LATENCY_BOUNDS_MS,
  type VersionFigures,
} from "../../agents/model_deployer/domain/evidence/figures.ts";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type { DeploymentCounts } from "../shared/combined_figures.ts";
import { type EnvoyReadings, envoyService, type Histogram, type Stats } from "./admin_readings.ts";

const counted = [
  "upstream_rq_(completed|[45]xx|timeout|cancelled|rx_reset|retry_success|active|time)",
  "upstream_rq_pending_(failure_eject|active|overflow)",
  "upstream_cx_destroy_(local|remote)_with_active_rq",
  "upstream_cx_protocol_error",
].join("|");

/**
 * Envoy's counts for each deployment that got a request, mirrored ones included. A request counts once, when it is over:
 * answered, reset or timed out, the latter two as 503 and 504. One that a server broke off counts as an error as well
 * where another server has answered it since. Requests that a circuit breaker kept from the server count neither as
 * requests nor as errors, and those that their caller gave up are counted apart. Quantiles are Envoy's own, over the counters' life, up to one second old.
 */
export async function readCounts(
  admin: Pick<EnvoyReadings, "clusters" | "stats">,
  signal: AbortSignal,
): Promise<DeploymentCounts[]> {
  const clusters = await admin.clusters(signal);
  const stats = await admin.stats(`^cluster\\..*\\.(${counted})$`, signal);
  return clusters
    .map(({ deployment_id, added_in }) => ({ deployment_id, added_in, ...toCounts(stats, deployment_id) }))
    .filter(({ requests, given_up = 0 }) => requests + given_up > 0)
    .sort((a, b) => (a.deployment_id < b.deployment_id ? -1 : 1));
}

/** The counts of an Envoy that is the only one of its endpoint. */
export async function readFigures(
  admin: Pick<EnvoyReadings, "clusters" | "stats" | "run">,
  signal: AbortSignal,
): Promise<VersionFigures[]> {
  const run = await admin.run(signal);
  const counts = await readCounts(admin, signal);
  if ((await admin.run(signal)) !== run) {
    throw new ServiceUnavailableError(envoyService, "Envoy was restarted while its counters were read");
  }
  return counts.map(({ added_in, ...figures }) => ({ ...figures, epoch: `${run}/${added_in}` }));
}

export function toCounts(
  { values, histograms }: Stats,
  deploymentId: string,
): Omit<VersionFigures, "deployment_id" | "epoch"> {
  const count = (name: string) => Number(values.get(`cluster.${deploymentId}.${name}`) ?? 0);
  const kept = count("upstream_rq_pending_overflow");
  const requests = Math.max(0, count("upstream_rq_completed") - kept);
  const brokenOff = count("upstream_cx_destroy_remote_with_active_rq") + count("upstream_rq_rx_reset");
  // Envoy does not count what a retry healed by cause. Both only grow, so the smaller one does; it is too many by at most
  // the retries that healed a connection that was not made.
  const answeredElsewhere = Math.min(brokenOff, count("upstream_rq_retry_success"));
  const errors = Math.min(requests, Math.max(0, count("upstream_rq_5xx") - kept) + answeredElsewhere);
  // Envoy itself ends a connection under a request where the caller hung up, the time was over, or the answer was no HTTP.
  const endedHere = count("upstream_cx_destroy_local_with_active_rq") + count("upstream_rq_cancelled");
  const given_up = Math.max(
    0,
    endedHere - count("upstream_rq_timeout") - count("upstream_cx_protocol_error"),
  );
  const time = histograms.get(`cluster.${deploymentId}.upstream_rq_time`);
  return {
    requests,
    errors,
    timeouts: Math.min(errors, count("upstream_rq_timeout")),
    resets: Math.min(errors, brokenOff + count("upstream_rq_pending_failure_eject")),
    client_errors: count("upstream_rq_4xx"),
    given_up,
    in_flight: count("upstream_rq_active") + count("upstream_rq_pending_active"),
    p50_ms: time?.quantiles.get(50) ?? null,
    p99_ms: time?.quantiles.get(99) ?? null,
    latency_counts: toLatencyCounts(time?.counts ?? []),
  };
}

/** A range counts under the first bound that none of its values exceeds, so that "at most" holds for each count. */
export function toLatencyCounts(counts: Histogram["counts"]): number[] {
  const bins = Array.from({ length: LATENCY_BOUNDS_MS.length + 1 }, () => 0);
  for (const { to, count } of counts) {
    const bin = LATENCY_BOUNDS_MS.findIndex((bound) => to <= bound);
    const index = bin === -1 ? LATENCY_BOUNDS_MS.length : bin;
    bins[index] = (bins[index] ?? 0) + count;
  }
  return bins;
}
