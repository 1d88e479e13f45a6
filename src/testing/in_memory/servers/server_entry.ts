import { EndpointCreationError } from "../../../agents/model_deployer/errors.ts";
import type { ServerObservation } from "../../../agents/model_deployer/ports/model_server_port.ts";

export interface ServerEntry {
  bento_tag: string;
  port: number;
  state: "running" | "hanging" | "ended";
  reason: string;
}

export const host = "127.0.0.1";

export function observationOf(
  { bento_tag, port, reason, state }: ServerEntry,
  isReplaced: boolean,
): ServerObservation {
  switch (state) {
    case "running":
      return { state: "ready", host, port, bento_tag, ...(isReplaced && { replaced: true }) };
    case "hanging":
      return { state: "unresponsive", host, port, reason };
    case "ended":
      return { state: "failed", reason };
    default:
      return state satisfies never;
  }
}

/** As the real server says it. */
export function cannotServe(deploymentId: string, bentoTag: string, reason: string): EndpointCreationError {
  return new EndpointCreationError(`${bentoTag} cannot be served for ${deploymentId}: ${reason}`, {
    details: { deployment_id: deploymentId, bento_tag: bentoTag, reason },
  });
}
