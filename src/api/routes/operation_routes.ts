import { z } from "zod";
import { operationReport, operationReports } from "../../service/operations/operation_reports.ts";
import {
  operationReportSchema,
  operationsReportSchema,
  operationStateSchema,
} from "../../service/operations/operation_schemas.ts";
import { revocationReportSchema } from "../../service/report_schemas.ts";
import { declineOperation } from "../../service/operations/declined_operation.ts";
import { ofOperation } from "../access/extents.ts";
import { type ApiRoute, apiRoute } from "../api_route.ts";
import { limit } from "./limit.ts";

const named = z.strictObject({ operation: z.string() });
const withReason = z.strictObject({ reason: z.string().trim().min(1).max(2000) });

const operations = apiRoute(
  {
    method: "get",
    path: "/v1/operations",
    tag: "deciding",
    needs: { right: "look", of: "any" },
    summary: "Operations with their plans, evidence and approvals, the newest first",
    query: z.strictObject({
      state: operationStateSchema.default("open"),
      limit: limit(500, 100),
    }),
    answer: operationsReportSchema,
  },
  async ({ database }, { query, sees }) => {
    const found = await operationReports(database, query);
    return { operations: found.filter((one) => sees(one.experiment_id)) };
  },
);

const operation = apiRoute(
  {
    method: "get",
    path: "/v1/operations/{operation}",
    tag: "deciding",
    needs: { right: "look", of: ofOperation },
    summary: "One operation",
    params: named,
    answer: operationReportSchema,
  },
  ({ database }, { params }) => operationReport(database, params.operation),
);

const approve = apiRoute(
  {
    method: "post",
    path: "/v1/operations/{operation}/approvals",
    tag: "deciding",
    needs: { right: "approve", of: ofOperation },
    summary: "Approves the plan that an operation waits with, as the caller",
    params: named,
    body: withReason,
    answer: operationReportSchema,
    created: true,
  },
  async ({ database }, { params, body, caller }) => {
    const { token } = caller;
    await database.approvals.grant({ token, operation_id: params.operation, reason: body.reason });
    return operationReport(database, params.operation);
  },
);

const revoke = apiRoute(
  {
    method: "post",
    path: "/v1/operations/{operation}/revocations",
    tag: "deciding",
    needs: { right: "look", of: ofOperation },
    summary: "Takes the caller's own approval back, as long as it is not used",
    params: named,
    body: withReason,
    answer: revocationReportSchema,
  },
  async ({ database }, { params, body, caller }) => {
    const { token } = caller;
    const { reason } = body;
    const revoked = await database.approvals.revoke({ token, operation_id: params.operation, reason });
    return { operation_id: params.operation, revoked };
  },
);

const decline = apiRoute(
  {
    method: "post",
    path: "/v1/operations/{operation}/refusals",
    tag: "deciding",
    needs: { right: "approve", of: ofOperation },
    summary: "Declines what waits for approvals: it ends as refused, with who and why",
    params: named,
    body: withReason,
    answer: operationReportSchema,
    created: true,
  },
  async ({ database }, { params, body, caller }) => {
    const { principal } = caller;
    await declineOperation(database, { operation_id: params.operation, principal, reason: body.reason });
    return operationReport(database, params.operation);
  },
);

export const operationRoutes: ApiRoute[] = [operations, operation, approve, revoke, decline];
