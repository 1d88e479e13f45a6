import { z } from "zod";
import {
  removedSinkSchema,
  retriedSinkSchema,
  sinkReportSchema,
  sinkRequestSchema,
  sinksReportSchema,
  sinkTrialSchema,
} from "../../service/notifications/sink_schemas.ts";
import { setSink, sinksReport, trySink } from "../../service/notifications/sink_administration.ts";
import { actorOf, type ApiRoute, apiRoute } from "../api_route.ts";

const named = z.strictObject({ sink: z.string() });
const needs = { right: "configure", of: "all" } as const;

const list = apiRoute(
  {
    method: "get",
    path: "/v1/notifications",
    tag: "settings",
    needs,
    summary: "Where notices go, what waits, what was set aside, and what does not take them",
    answer: sinksReportSchema,
  },
  ({ database }) => sinksReport(database),
);

const set = apiRoute(
  {
    method: "put",
    path: "/v1/notifications/{sink}",
    tag: "settings",
    needs,
    summary: "Sets where notices go, and which; what is left out stays as it is",
    description:
      "An address and a secret are sealed, or are references that the deployer's own machine resolves: `env:NAME`, `file:/path`. A signing secret that is made is in this answer alone.",
    params: named,
    body: sinkRequestSchema,
    answer: sinkReportSchema,
  },
  ({ database, secrets }, { params, body, caller }) =>
    setSink({ database, secrets }, params.sink, body, actorOf(caller)),
);

const trial = apiRoute(
  {
    method: "post",
    path: "/v1/notifications/{sink}/trials",
    tag: "settings",
    needs,
    summary: "Sends a notice now, and answers once it is taken",
    params: named,
    answer: sinkTrialSchema,
  },
  ({ database, notificationSender: sender }, { params, caller, signal }) =>
    trySink({ database, sender }, params.sink, actorOf(caller), signal),
);

const retry = apiRoute(
  {
    method: "post",
    path: "/v1/notifications/{sink}/retries",
    tag: "settings",
    needs,
    summary: "Sends anew what was set aside",
    params: named,
    answer: retriedSinkSchema,
  },
  async ({ database }, { params: { sink: sink_name } }) => ({
    sink_name,
    notices: await database.sinks.retry(sink_name),
  }),
);

const remove = apiRoute(
  {
    method: "delete",
    path: "/v1/notifications/{sink}",
    tag: "settings",
    needs,
    summary: "Tells it no more; what waits for it is dropped",
    params: named,
    answer: removedSinkSchema,
  },
  async ({ database }, { params: { sink: sink_name }, caller }) => {
    await database.sinks.remove(sink_name, actorOf(caller));
    return { sink_name };
  },
);

export const notificationRoutes: ApiRoute[] = [list, set, trial, retry, remove];
