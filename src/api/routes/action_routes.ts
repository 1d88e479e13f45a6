import { z } from "zod";
import { InvalidRequestError } from "../../agents/model_deployer/errors.ts";
import { validateRequest } from "../../agents/model_deployer/nodes/validate_request.ts";
import { requestStateSchema } from "../../agents/model_deployer/state/state.ts";
import { appliedReport, resumedReport } from "../../service/actions/action_reports.ts";
import { applyReportSchema, planReportSchema, resumptionReportSchema } from "../../service/report_schemas.ts";
import { runAction } from "../../service/actions/run_action.ts";
import { refuseStaleView } from "../seen_generation.ts";
import { ofOperation } from "../access/extents.ts";
import { type ApiRoute, apiRoute } from "../api_route.ts";

const withoutProgress = () => undefined;

/** The state of a request, whose meaning the graph's own validation decides. */
const requestSchema = requestStateSchema.meta({ id: "ActionRequest" });

const plan = apiRoute(
  {
    method: "post",
    path: "/v1/plans",
    tag: "acting",
    repeated: "reading",
    needs: { right: "look", of: "any" },
    summary: "What an action would change; nothing is written",
    body: requestSchema,
    answer: planReportSchema,
  },
  async ({ actingAs }, { body, caller, signal }) => {
    const { graph } = actingAs(caller);
    const { deployment_plan } = await runAction({ graph }, body, {
      effects: "dry-run",
      signal,
      tell: withoutProgress,
    });
    return planReportSchema.parse(deployment_plan);
  },
);

const act = apiRoute(
  {
    method: "post",
    path: "/v1/actions",
    tag: "acting",
    repeated: "operation",
    needs: { right: "act", of: "any" },
    summary: "Carries an action out",
    description:
      "The header Idempotency-Key is the operation's request key: the same key with the same body gets the same " +
      "answer, with another body it is refused. If-Match with the generation that the caller saw of the endpoint, quoted, has the action refused (412 stale_view) where the endpoint has moved on. What takes longer than half a minute is answered 202 and goes on; " +
      "its operation tells the end. Where approvals are needed the answer is the problem approval_required, with the " +
      "operation that waits.",
    body: requestSchema,
    answer: applyReportSchema,
    isUnderWay: ({ status }) => status === "in_progress",
  },
  async ({ actingAs, database }, { body, caller, idempotencyKey, seenGeneration }) => {
    const started = performance.now();
    await refuseStaleView(database, body.endpoint_name, seenGeneration);
    const request = withKey(body, idempotencyKey);
    const { graph } = actingAs(caller);
    // A caller who goes away does not cut what has begun: it would be left to a worker.
    const { signal } = new AbortController();
    const outcome = await runAction({ graph }, request, { effects: "live", signal, tell: withoutProgress });
    return appliedReport(outcome, (performance.now() - started) / 1000);
  },
);

const resume = apiRoute(
  {
    method: "post",
    path: "/v1/operations/{operation}/resumptions",
    tag: "acting",
    needs: { right: "act", of: ofOperation },
    summary: "Carries an operation on: one that was interrupted, or that has been approved",
    params: z.strictObject({ operation: z.string() }),
    answer: resumptionReportSchema,
  },
  async ({ actingAs, database }, { params, caller }) => {
    const started = performance.now();
    const acting = actingAs(caller);
    const resumed = await acting.resume(params.operation, { signal: AbortSignal.timeout(600_000) });
    const seconds = () => (performance.now() - started) / 1000;
    return resumedReport({ database, deliver: acting.deliver }, resumed, seconds);
  },
);

/** @throws InvalidRequestError where header and body name two keys */
function withKey<T extends z.output<typeof requestStateSchema>>(body: T, key: string | null): T {
  if (key === null) return body;
  if (body.request_id !== undefined && body.request_id !== key) {
    throw new InvalidRequestError(
      `Idempotency-Key is ${JSON.stringify(key)} and the body's request_id ${JSON.stringify(body.request_id)}; name one.`,
    );
  }
  validateRequest({ ...body, request_id: key });
  return { ...body, request_id: key };
}

export const actionRoutes: ApiRoute[] = [plan, act, resume];
