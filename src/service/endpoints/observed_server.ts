import type { ServerObservation } from "../../agents/model_deployer/ports/model_server_port.ts";
import type { EndpointStatus } from "../report_schemas.ts";

/** Each server of a deployment that has, or is to have, more than one. */
export function replicasOf(
  observed: ServerObservation,
  wanted: number,
): EndpointStatus["servers"][number]["replicas"] {
  const seen = observed.state === "ready" ? (observed.replicas ?? []) : [];
  if (wanted === 1 && seen.length <= 1) return [];
  return seen.map((one) => ({
    replica: one.replica,
    server: one.state,
    port: one.state === "ready" ? one.port : null,
    note: "reason" in one ? one.reason : null,
  }));
}

/** A busy server is not asked for a sample prediction, and its note says so. */
export function isIdle(observed: ServerObservation): boolean {
  if (observed.state !== "ready") return false;
  const { predictions } = observed;
  return predictions === undefined || predictions.under_way < predictions.threads;
}

/** How busy it is, or why it does not answer; null where there is nothing to say. */
export function noteOn(observed: ServerObservation): string | null {
  if ("reason" in observed) return observed.reason;
  if (observed.state !== "ready" || observed.predictions === undefined) return null;
  const { threads, under_way, waiting, hung } = observed.predictions;
  if (under_way < threads && hung === 0) return null;
  const others = [...(waiting > 0 ? [`${waiting} waiting`] : []), ...(hung > 0 ? [`${hung} hung`] : [])];
  return [`${under_way} of ${threads} busy`, ...others].join(", ");
}
