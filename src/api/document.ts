import { createDocument, type ZodOpenApiPathsObject } from "zod-openapi";
import { type ApiRoute, isCarriedOutOnce } from "./api_route.ts";
import { problemSchema } from "./problem.ts";
import { z } from "zod";
import { OPEN_PATHS } from "./routes/open_paths.ts";

const TAGS = {
  looking: "What there is and what it does",
  acting: "Actions, and their plans",
  deciding: "Operations, approvals and refusals",
  settings: "Experiments, policies and principals",
  session: "Who asks",
} as const;

/** The OpenAPI 3.1 document of the routes, from the schemas that they are parsed by. */
export function openApiDocument(routes: readonly ApiRoute[], version: string): object {
  const paths: ZodOpenApiPathsObject = { ...OPEN_PATHS };
  for (const { definition } of routes) {
    const { method, path } = definition;
    paths[path] = { ...paths[path], [method]: operationOf(definition) };
  }
  return createDocument({
    openapi: "3.1.0",
    info: {
      title: "Model Deployer",
      version,
      description:
        "Takes models from the registry to production traffic, and back again. Errors are RFC 9457 problems.",
    },
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    security: [{ token: [] }],
    components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
    paths,
  });
}

const idempotencyKey = z.string().optional().meta({
  description:
    "The same key with the same request gets the same answer and is carried out once; with another it is refused (422), and while the first is under way too (409). Kept for a day; that of an action is its operation's request key, and kept for good.",
});

const seenGeneration = z.string().optional().meta({
  description:
    'The generation of the endpoint that the caller saw, quoted as in "7"; where it has moved on since, the action is refused (412 stale_view).',
});

function operationOf({
  tag,
  summary,
  description,
  params,
  query,
  body,
  answer,
  method,
  repeated,
  created,
  isUnderWay,
}: ApiRoute["definition"]) {
  const content = { "application/json": { schema: answer } };
  const requestParams = {
    ...(params instanceof z.ZodObject && { path: params }),
    ...(query instanceof z.ZodObject && { query }),
    ...((repeated === "operation" || isCarriedOutOnce({ method, repeated })) && {
      header: z.object({
        "idempotency-key": idempotencyKey,
        ...(repeated === "operation" && { "if-match": seenGeneration }),
      }),
    }),
  };
  return {
    tags: [tag],
    summary,
    ...(description !== undefined && { description }),
    ...(Object.keys(requestParams).length > 0 && { requestParams }),
    ...(body !== undefined && {
      requestBody: { required: true, content: { "application/json": { schema: body } } },
    }),
    responses: {
      [created === true ? 201 : 200]: { description: "The answer", content },
      ...(isUnderWay !== undefined && { 202: { description: "It goes on", content } }),
      default: {
        description: "A problem, with its code, whether it is retryable, and each way out",
        content: { "application/problem+json": { schema: problemSchema } },
      },
    },
  };
}
