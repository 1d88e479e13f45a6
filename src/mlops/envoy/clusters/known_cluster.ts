export interface HostAddress {
  host: string;
  port: number;
  tls?: true;
}

/** One deployment as Envoy knows it. */
export interface KnownCluster {
  deployment_id: string;
  /** Of each of its servers, at least one, in the order of `inOrder`. */
  addresses: HostAddress[];
  /** The generation that added it; names the life of its counters, which begin at zero when it is added again. */
  added_in: number;
  /** How many mirrored requests this Envoy keeps under way; the rest is not mirrored. */
  copies_at_once: number;
}

/** Where an Envoy does not tell it, too. */
export const MOST_COPIES = 64;

/**
 * How much one of several Envoys may keep under way, so that all of them together fill no more than a shadow's queue: callers wait
 * for no copy, so nothing else slows them down, and what a full queue turns away would count as the shadow's failure.
 */
export function copiesAtOnce(predictionQueue: number, envoys: number): number {
  return Math.max(1, Math.floor(Math.min(MOST_COPIES, predictionQueue) / Math.max(1, envoys)));
}

/** One order for the same addresses, however they were found. */
export function inOrder(addresses: readonly HostAddress[]): HostAddress[] {
  return [...addresses].sort((a, b) => (a.host === b.host ? a.port - b.port : a.host < b.host ? -1 : 1));
}
