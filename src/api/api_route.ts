import type { Context } from "hono";
import type { z } from "zod";
import { InvalidRequestError } from "../agents/model_deployer/errors.ts";
import {
  type Actor,
  ALL,
  experimentsWith,
  type Extent,
  type Grant,
  hasRight,
  type Origin,
  type Right,
} from "../agents/model_deployer/domain/access/roles.ts";
import { refuseRight } from "../agents/model_deployer/operations/required_rights.ts";
import { seenGeneration } from "./seen_generation.ts";
import type { ApiParts } from "./api_parts.ts";
import { answeredOnce, keyOf } from "./answered_once.ts";
import { jsonOf } from "./request_body.ts";

export interface Caller {
  principal: string;
  /** The credential that the caller came with. */
  token: string;
  /** The roles that the caller has at this moment. */
  grants: readonly Grant[];
  origin: Origin;
}

/** Who changes something, for whoever reads it later. */
export const actorOf = ({ principal, origin }: Caller): Actor => ({ who: principal, origin });

/** The right that a route asks of its caller; every route names one, so that none is open by being forgotten. */
export interface Needs<P, Q, B> {
  right: Right;
  /**
   * Whom it is about: `all` experiments together, an experiment that is found, or `any`, where whoever has the right for one
   * may ask, and the answer holds what is theirs to see.
   */
  of:
    | "all"
    | "any"
    | ((parts: ApiParts, request: { params: P; query: Q; body: B }) => Promise<Extent | typeof ANY>);
}

/** Stands for the experiment whose rights are asked for, where it depends on the request. */
export const ANY = Symbol("any experiment");

/** One request, parsed. */
export interface Call<P, Q, B> {
  params: P;
  query: Q;
  body: B;
  caller: Caller;
  /** The caller's `Idempotency-Key`: the operation's request key. */
  idempotencyKey: string | null;
  /** The generation of the endpoint that the caller saw, from `If-Match`. */
  seenGeneration: number | null;
  /** Whether the caller may see what belongs to that experiment. */
  sees: (experimentId: string | null) => boolean;
  /** Aborted when the caller has gone. */
  signal: AbortSignal;
}

interface Definition<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType> {
  method: "get" | "post" | "put" | "delete";
  /** With parameters as `{name}`. */
  path: string;
  tag: "looking" | "acting" | "deciding" | "settings" | "session";
  summary: string;
  needs: Needs<z.output<P>, z.output<Q>, z.output<B>>;
  description?: string;
  params?: P;
  query?: Q;
  body?: B;
  answer: R;
  /**
   * How a request that is sent again stays harmless: by the `Idempotency-Key` of all that change something, unless it is the
   * operation's own key (`operation`), or nothing is changed (`reading`).
   */
  repeated?: "operation" | "reading";
  /** Whether an answer has the status 201, for it tells of something new. */
  created?: true;
  /** Whether what was asked for goes on after the answer, which has the status 202 then. */
  isUnderWay?: (answer: z.output<R>) => boolean;
}

/** A route as data, from which both the server and the OpenAPI document are made. */
export interface ApiRoute {
  definition: Omit<Definition<z.ZodType, z.ZodType, z.ZodType, z.ZodType>, "needs"> & { right: Right };
  respond(parts: ApiParts, context: Context, caller: Caller): Promise<Response>;
}

type Nothing = z.ZodUnknown;

export function apiRoute<
  R extends z.ZodType,
  P extends z.ZodType = Nothing,
  Q extends z.ZodType = Nothing,
  B extends z.ZodType = Nothing,
>(
  definition: Definition<P, Q, B, R>,
  answer: (parts: ApiParts, call: Call<z.output<P>, z.output<Q>, z.output<B>>) => Promise<z.input<R>>,
): ApiRoute {
  const { params, query, body, needs, isUnderWay, ...described } = definition;
  return {
    definition: {
      ...described,
      ...(params && { params }),
      ...(query && { query }),
      ...(body && { body }),
      right: needs.right,
      ...(isUnderWay && { isUnderWay: (value) => isUnderWay(definition.answer.parse(value)) }),
    },
    respond: async (parts, context, caller) => {
      const request = {
        params: parsed(params, context.req.param(), "path"),
        query: parsed(query, context.req.query(), "query"),
        body: parsed(body, body === undefined ? null : await jsonOf(context), "body"),
      };
      await requireNeeds(parts, caller, needs, request);
      const { key, ...circumstances } = circumstancesOf(context, caller);
      const call = { ...request, ...circumstances, idempotencyKey: key };
      const work = async () => {
        const given = definition.answer.parse(await answer(parts, call));
        const status = isUnderWay?.(given) === true ? 202 : definition.created === true ? 201 : 200;
        return Response.json(given, { status });
      };
      if (key === null || !isCarriedOutOnce(definition)) return work();
      const same = { method: definition.method, path: context.req.path, ...request };
      return answeredOnce(parts, { principal: caller.principal, key, request: same }, work);
    },
  };
}

/** Who calls, and under which headers. */
function circumstancesOf(context: Context, caller: Caller) {
  return {
    caller,
    sees: (experiment: string | null) => hasRight(caller.grants, "look", experiment),
    key: keyOf(context),
    seenGeneration: seenGeneration(context.req.header("if-match")),
    signal: context.req.raw.signal,
  };
}

/** Whether a request of the route is carried out once for its key. */
export const isCarriedOutOnce = ({
  method,
  repeated,
}: {
  method: string;
  repeated?: string | undefined;
}): boolean => method !== "get" && repeated === undefined;

/** @throws NotPermittedError, after the refusal is in the audit trail */
async function requireNeeds<P, Q, B>(
  parts: ApiParts,
  { principal, grants, origin }: Caller,
  { right, of }: Needs<P, Q, B>,
  request: { params: P; query: Q; body: B },
): Promise<void> {
  const about = typeof of === "function" ? await of(parts, request) : of === "any" ? ANY : ALL;
  const isAllowed =
    about === ANY ? experimentsWith(grants, right)?.size !== 0 : hasRight(grants, right, about);
  if (isAllowed) return;
  const extent = about === ANY ? ALL : about;
  const asking = { requested_by: principal, origin };
  const subject = extent === null ? "what is not known" : extent === ALL ? "all experiments" : extent;
  await refuseRight(parts.database, asking, right, { extent, subject });
}

/** @throws InvalidRequestError with each problem and its field */
function parsed<S extends z.ZodType>(schema: S | undefined, value: unknown, where: string): z.output<S>;
function parsed(schema: z.ZodType | undefined, value: unknown, where: string): unknown {
  if (schema === undefined) return undefined;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    ({ path, message }) => `${[where, ...path].join(".")}: ${message}`,
  );
  throw new InvalidRequestError(`The request is not valid: ${problems.join("; ")}.`, {
    cause: result.error,
    details: { problems },
  });
}
