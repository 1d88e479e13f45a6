import type { ZodOpenApiOperationObject, ZodOpenApiPathsObject } from "zod-openapi";
import { z } from "zod";
import {
  openedSessionSchema,
  providerSchema,
  sessionSchema,
  signInRequestSchema,
} from "../../service/people/sign_in_schemas.ts";
import { problemSchema } from "../problem.ts";

const json = (schema: z.ZodType) => ({ "application/json": { schema } });
const problem = {
  default: { description: "A problem", content: { "application/problem+json": { schema: problemSchema } } },
};

function session(summary: string, responses: ZodOpenApiOperationObject["responses"]) {
  return { tags: ["session"], summary, responses: { ...responses, ...problem } };
}

const answer = (description: string, schema: z.ZodType) => ({ description, content: json(schema) });
const away = { description: "On to another page", headers: { location: { schema: { type: "string" } } } };

/** Paths that answer otherwise than with a document, or before somebody is known. */
export const OPEN_PATHS: ZodOpenApiPathsObject = {
  "/v1/session": {
    get: session("Who asks, and what they may do", { 200: answer("The caller", sessionSchema) }),
    post: session("Keep the caller's token in a cookie of this browser", {
      200: answer("The caller", sessionSchema),
    }),
    delete: session("End the session of this browser", { 204: { description: "It is ended" } }),
  },
  "/v1/sessions": {
    post: {
      ...session("A token of the provider for a session here", {
        201: answer("The session and its token, which is shown once", openedSessionSchema),
      }),
      security: [],
      requestBody: { required: true, content: json(signInRequestSchema) },
    },
  },
  "/v1/oidc": {
    get: {
      ...session("The provider that people sign in at", { 200: answer("The provider", providerSchema) }),
      security: [],
    },
  },
  "/v1/oidc/login": {
    get: { ...session("Begin a sign-in at the provider in a browser", { 302: away }), security: [] },
  },
  "/v1/oidc/callback": {
    get: { ...session("The provider's answer to a sign-in in a browser", { 302: away }), security: [] },
  },
  "/v1/events": {
    get: {
      tags: ["looking"],
      summary: "What changes, as it changes",
      description:
        "Server-sent events: `endpoint`, `operation`, `vitals`, `history`, and `feed` where the deployer cannot look itself.",
      responses: {
        200: {
          description: "The stream, for as long as the caller listens",
          content: { "text/event-stream": { schema: z.string() } },
        },
        ...problem,
      },
    },
  },
};
