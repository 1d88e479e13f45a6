import { z } from "zod";
import {
  addPrincipalToken,
  enrolPrincipal,
  principalsReport,
} from "../../service/people/principal_enrolment.ts";
import {
  enrolmentSchema,
  grantRequestSchema,
  loginSchema,
  newTokenSchema,
  principalReportSchema,
  principalsReportSchema,
  removalReportSchema,
  principalRemovalRequestSchema,
} from "../../service/people/principal_schemas.ts";
import { actorOf, type ApiRoute, apiRoute } from "../api_route.ts";

const named = z.strictObject({ principal: z.string() });
const setting = { tag: "settings", needs: { right: "administer", of: "all" } } as const;
/** A change of a principal; most are answered with how the principal stands then. */
const changing = { ...setting, method: "post", params: named, answer: principalsReportSchema } as const;

const list = apiRoute(
  {
    ...setting,
    method: "get",
    path: "/v1/principals",
    summary: "Who may do what: roles, logins, and tokens with their last use",
    query: z.strictObject({ principal: z.string().optional() }),
    answer: principalsReportSchema,
  },
  ({ database }, { query }) => principalsReport(database, query.principal ?? null),
);

const enrol = apiRoute(
  {
    ...setting,
    method: "post",
    path: "/v1/principals",
    summary: "Makes a token for a principal, which is in this answer alone; its former tokens are revoked",
    body: enrolmentSchema,
    answer: principalReportSchema,
    created: true,
  },
  ({ database }, { body, caller }) => enrolPrincipal(database, body, actorOf(caller)),
);

const token = apiRoute(
  {
    ...changing,
    path: "/v1/principals/{principal}/tokens",
    summary: "Makes one more token for a principal, which is in this answer alone",
    body: newTokenSchema,
    answer: principalReportSchema,
    created: true,
  },
  ({ database }, { params, body, caller }) =>
    addPrincipalToken(database, params.principal, body, actorOf(caller)),
);

const revokeToken = apiRoute(
  {
    ...setting,
    method: "delete",
    path: "/v1/tokens/{token}",
    summary: "Revokes a token, by its id",
    params: z.strictObject({ token: z.string() }),
    answer: principalsReportSchema,
  },
  async ({ database }, { params, caller }) => {
    const { principal } = await database.principalAdministration.revokeToken(params.token, actorOf(caller));
    return principalsReport(database, principal);
  },
);

const grant = apiRoute(
  {
    ...changing,
    path: "/v1/principals/{principal}/grants",
    summary: "Grants a role for one experiment, or for all",
    body: grantRequestSchema,
  },
  async ({ database }, { params: { principal }, body, caller }) => {
    await database.principalAdministration.grant(principal, body.role, body.experiment_id, actorOf(caller));
    return principalsReport(database, principal);
  },
);

const revoke = apiRoute(
  {
    ...changing,
    path: "/v1/principals/{principal}/revocations",
    summary: "Takes a role back",
    body: grantRequestSchema,
  },
  async ({ database }, { params: { principal }, body, caller }) => {
    const { role, experiment_id } = body;
    await database.principalAdministration.revokeRole(principal, role, experiment_id, actorOf(caller));
    return principalsReport(database, principal);
  },
);

const remove = apiRoute(
  {
    ...changing,
    path: "/v1/principals/{principal}/removals",
    summary: "Ends all that a principal has: tokens, roles, and approvals that are not used yet",
    body: principalRemovalRequestSchema,
    answer: removalReportSchema,
  },
  ({ database }, { params, body, caller }) =>
    database.principalAdministration.remove(params.principal, body.reason, actorOf(caller)),
);

const link = apiRoute(
  {
    ...changing,
    path: "/v1/principals/{principal}/logins",
    summary: "Says that a login is a principal's: a user of the operating system, or a subject of a provider",
    body: loginSchema,
  },
  async ({ database }, { params, body, caller }) => {
    const { principal } = await database.logins.link(params.principal, body, actorOf(caller));
    return principalsReport(database, principal);
  },
);

const unlink = apiRoute(
  {
    ...setting,
    method: "post",
    path: "/v1/logins/unlinked",
    summary: "Takes a login from whose it is",
    body: loginSchema,
    answer: principalsReportSchema,
  },
  async ({ database }, { body, caller }) => {
    const { principal } = await database.logins.unlink(body, actorOf(caller));
    return principalsReport(database, principal);
  },
);

export const principalRoutes: ApiRoute[] = [
  ...[list, enrol, token, revokeToken, grant, revoke, remove, link, unlink],
];
