import { z } from "zod";
import type { ApiParts } from "../api_parts.ts";
import { type ApiRoute, apiRoute, type Call } from "../api_route.ts";
import { ofEndpoint } from "../access/extents.ts";

const named = z.strictObject({ endpoint: z.string() });

/** A route that reads one endpoint, for whoever may look at its experiment. */
export function endpointRoute<R extends z.ZodType, Q extends z.ZodType = z.ZodUnknown>(
  told: { path: `/v1/endpoints/{endpoint}${string}`; summary: string; query?: Q; answer: R },
  answer: (parts: ApiParts, call: Call<z.output<typeof named>, z.output<Q>, unknown>) => Promise<z.input<R>>,
): ApiRoute {
  const needs = { right: "look", of: ofEndpoint } as const;
  return apiRoute({ method: "get", tag: "looking", needs, params: named, ...told }, answer);
}
