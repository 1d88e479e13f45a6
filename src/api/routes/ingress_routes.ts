import { z } from "zod";
import type { IngressPolicy } from "../../agents/model_deployer/domain/access/ingress_policy.ts";
import { InvalidRequestError } from "../../agents/model_deployer/errors.ts";
import {
  changeIngressPolicy,
  ingressReport,
  makeKey,
  namedEndpoint,
  revokeKey,
} from "../../service/ingress/ingress_administration.ts";
import {
  type IngressChange,
  ingressChangeSchema,
  ingressReportSchema,
  newKeyReportSchema,
  newKeyRequestSchema,
} from "../../service/ingress/ingress_schemas.ts";
import { ofNamedEndpoint } from "../access/extents.ts";
import { actorOf, type ApiRoute, apiRoute } from "../api_route.ts";

const named = z.strictObject({ endpoint: z.string() });
const needs = { right: "configure", of: ofNamedEndpoint } as const;

const show = apiRoute(
  {
    method: "get",
    path: "/v1/endpoints/{endpoint}/ingress",
    tag: "looking",
    needs: { right: "look", of: ofNamedEndpoint },
    summary: "Who may call an endpoint and how much, whether its router enforces it, and its keys",
    params: named,
    answer: ingressReportSchema,
  },
  async (parts, { params: { endpoint } }) => ingressReport(await namedEndpoint(endpoint, parts), parts),
);

const set = apiRoute(
  {
    method: "put",
    path: "/v1/endpoints/{endpoint}/ingress",
    tag: "settings",
    needs,
    summary: "Sets who may call an endpoint and how much, and answers once its router enforces it",
    description:
      "The keys of an issuer of tokens are read anew from `source`: an address that begins with https:, or the file that is named already. Certificates lie on the machine that routes, and are set there.",
    params: named,
    body: ingressChangeSchema.extend({ reason: z.string().trim().min(1).max(2000) }),
    answer: ingressReportSchema,
  },
  async (parts, { params, body: { reason, ...change }, caller, signal }) => {
    const endpoint = await namedEndpoint(params.endpoint, parts);
    const checked = (before: IngressPolicy) => {
      refuseNewFile(change, before);
      return change;
    };
    await changeIngressPolicy(endpoint, checked, { reason, by: actorOf(caller) }, parts, signal);
    return ingressReport(endpoint, parts);
  },
);

function refuseNewFile({ tokens }: IngressChange, before: IngressPolicy): void {
  const source = tokens?.source;
  if (source === undefined || source === before.tokens?.source || source.startsWith("https:")) return;
  throw new InvalidRequestError(
    `tokens.source is ${JSON.stringify(source)}: name an address that begins with https:; a file is named on the machine that routes.`,
  );
}

const make = apiRoute(
  {
    method: "post",
    path: "/v1/endpoints/{endpoint}/keys",
    tag: "settings",
    needs,
    summary: "Makes one more key of an endpoint; it is in this answer alone",
    params: named,
    body: newKeyRequestSchema,
    answer: newKeyReportSchema,
    created: true,
  },
  async (parts, { params, body, caller, signal }) =>
    makeKey(await namedEndpoint(params.endpoint, parts), body, actorOf(caller), parts, signal),
);

const revoke = apiRoute(
  {
    method: "delete",
    path: "/v1/endpoints/{endpoint}/keys/{key}",
    tag: "settings",
    needs,
    summary: "Ends a key, and answers once the router refuses it",
    params: named.extend({ key: z.string() }),
    answer: ingressReportSchema,
  },
  async (parts, { params, caller, signal }) => {
    const endpoint = await namedEndpoint(params.endpoint, parts);
    await revokeKey(params.endpoint, params.key, actorOf(caller), parts, signal);
    return ingressReport(endpoint, parts);
  },
);

export const ingressRoutes: ApiRoute[] = [show, set, make, revoke];
