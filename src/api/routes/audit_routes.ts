import { z } from "zod";
import { auditLinks, linkView, verifyChain } from "../../service/audit/audit_chain.ts";
import { auditReportSchema, auditVerificationSchema } from "../../service/audit/audit_schemas.ts";
import { type ApiRoute, apiRoute } from "../api_route.ts";
import { limit } from "./limit.ts";

const needs = { right: "administer", of: "all" } as const;

const trail = apiRoute(
  {
    method: "get",
    path: "/v1/audit",
    tag: "settings",
    needs,
    summary: "Who changed what, from where: the newest first, or after an entry in their order",
    query: z.strictObject({
      after: z.coerce.number().int().min(0).optional(),
      who: z.string().optional(),
      subject: z.string().optional(),
      limit: limit(1000, 100),
    }),
    answer: auditReportSchema,
  },
  async ({ database: { auditTrail } }, { query: { after, who = null, subject = null, limit } }) => {
    const links =
      after === undefined
        ? await auditTrail.newest({ limit, who, subject })
        : await auditTrail.after(after, limit);
    return { links: links.map(linkView) };
  },
);

const verification = apiRoute(
  {
    method: "get",
    path: "/v1/audit/verification",
    tag: "settings",
    needs,
    summary: "Whether the trail is as it was written, from its first entry to its last",
    query: z.strictObject({ includes: z.string().optional() }),
    answer: auditVerificationSchema,
  },
  async ({ database: { auditTrail } }, { query }) => {
    const head = await auditTrail.head();
    return verifyChain(auditLinks(auditTrail), { head, includes: query.includes ?? null, isWhole: true });
  },
);

export const auditRoutes: ApiRoute[] = [trail, verification];
