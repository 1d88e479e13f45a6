import type { Refusal } from "./object_store.ts";

/** A refusal as an API server words it. */
export function statusOf({ status, reason, message }: Refusal) {
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason, code: status };
}
