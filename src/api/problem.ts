import { z } from "zod";
import { errorView } from "../service/problems/error_view.ts";
import { errorViewSchema } from "../service/report_schemas.ts";

/** RFC 9457, with the error's stable code, whether it is retryable, and each way out. */
export const problemSchema = errorViewSchema
  .omit({ message: true })
  .extend({
    /** `urn:model-deployer:error:<code>` */
    type: z.string(),
    title: z.string(),
    status: z.int(),
    /** The error as a sentence, with the wrong value and the way out. */
    detail: z.string(),
  })
  .meta({ id: "Problem" });
export type Problem = z.infer<typeof problemSchema>;

/** HTTP's status by an error's code; 500 for one that is not here. */
const STATUSES: Readonly<Record<string, number>> = {
  invalid_request: 400,
  invalid_deployment_action: 400,
  not_authenticated: 401,
  not_permitted: 403,
  origin_refused: 403,
  not_found: 404,
  method_not_allowed: 405,
  approval_required: 409,
  conflict: 409,
  fork_refused: 409,
  invalid_approval: 409,
  invalid_promotion_path: 409,
  production_criteria_not_met: 409,
  rollback_failed: 409,
  stage_mismatch: 409,
  artifact_rejected: 422,
  engine_refused: 422,
  stale_view: 412,
  idempotency_key_reused: 422,
  endpoint_creation_failed: 502,
  service_refused: 502,
  server_not_ready: 502,
  service_unavailable: 503,
  too_many_streams: 503,
  too_many_replays: 503,
  deadline_exceeded: 504,
  interrupted: 503,
  disk_full: 507,
  memory_short: 507,
};

export function problemOf(error: unknown): Problem {
  const { message, ...view } = errorView(error);
  const status = STATUSES[view.code] ?? 500;
  // The text of an error that is none of ours may name a file or a secret.
  const detail =
    view.code === "unexpected" ? "Something failed that should not; the server's log has it." : message;
  return {
    type: `urn:model-deployer:error:${view.code}`,
    title: view.code.replaceAll("_", " "),
    status,
    detail,
    ...view,
  };
}

export function problemResponse(error: unknown): Response {
  const problem = problemOf(error);
  const headers = new Headers({ "content-type": "application/problem+json" });
  if (problem.status === 401) headers.set("www-authenticate", 'Bearer realm="model-deployer"');
  if (problem.retryable && problem.status === 503) headers.set("retry-after", "1");
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}
