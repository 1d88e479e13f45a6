import type { Context } from "hono";
import { z } from "zod";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { NotAuthenticatedError } from "../../agents/model_deployer/errors.ts";
import type { Origin } from "../../agents/model_deployer/domain/access/roles.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import { OriginRefusedError } from "../api_errors.ts";
import type { Caller } from "../api_route.ts";

/** Holds a browser's token: out of the reach of scripts, and sent with no request of another site. */
const COOKIE = "model_deployer_session";

export interface Credentials {
  database: Pick<DeployerDatabase, "principals" | "access">;
  /** Looks whether the provider still vouches for a session. @throws NotAuthenticatedError | NotPermittedError */
  checkSession: (asking: Pick<Caller, "token" | "origin">) => Promise<void>;
}

/** @throws NotAuthenticatedError, and what a session is ended by */
export async function authenticated(
  context: Context,
  { database: { principals, access }, checkSession }: Credentials,
): Promise<Caller> {
  const token = bearerOf(context) ?? getCookie(context, COOKIE);
  if (token === undefined) {
    throw new NotAuthenticatedError(
      "The request has no credential; send `Authorization: Bearer <token>`, which `principals enrol` makes.",
    );
  }
  const { principal } = await principals.authenticate(token);
  const origin = originOf(context);
  await checkSession({ token, origin });
  const grants = await access.grantsOf(principal);
  return { principal, token, grants, origin };
}

const bindingsSchema = z.object({ incoming: z.object({ socket: z.object({ remoteAddress: z.string() }) }) });

/** The connection's other end; a proxy before the server stands for its callers. */
export function originOf(context: Context): Origin {
  const bindings = bindingsSchema.safeParse(context.env);
  const address = bindings.success ? bindings.data.incoming.socket.remoteAddress : null;
  return { as: "token", via: "api", user: null, host: null, address };
}

function bearerOf(context: Context): string | undefined {
  const header = context.req.header("authorization");
  if (header === undefined) return undefined;
  const token = /^Bearer ([\w.~+/=-]{1,4096})$/i.exec(header)?.[1];
  if (token !== undefined) return token;
  throw new NotAuthenticatedError(
    "The Authorization header is no bearer token; send `Authorization: Bearer <token>`.",
  );
}

/**
 * A page of another origin may neither act nor read as the person whose browser it is in.
 * @param publicUrl where browsers reach this server, whose proxy may ask it by another name; null where nobody said
 * @throws OriginRefusedError
 */
export function refuseForeignOrigin(context: Context, publicUrl: string | null): void {
  const origin = context.req.header("origin");
  const site = context.req.header("sec-fetch-site");
  const isForeign =
    origin !== undefined
      ? hostOf(origin) !== context.req.header("host") && origin !== originOfUrl(publicUrl)
      : site === "cross-site" && context.req.method !== "GET";
  if (!isForeign) return;
  throw new OriginRefusedError(
    `The request comes from a page of ${JSON.stringify((origin ?? "another site").slice(0, 100))}, which is not this server's; open the console at this server's own address.`,
  );
}

function originOfUrl(url: string | null): string | null {
  return url !== null && URL.canParse(url) ? new URL(url).origin : null;
}

function hostOf(origin: string): string | null {
  return URL.canParse(origin) ? new URL(origin).host : null;
}

/** Gives the browser the token to keep. @param base the address by which the browser reaches this server */
export function keepToken(context: Context, token: string, base: string): void {
  const secure = base.startsWith("https:");
  setCookie(context, COOKIE, token, { httpOnly: true, sameSite: "Strict", path: "/", secure });
}

/** A session of a sign-in ends, wherever its token was copied to; a token of an administrator's making stays. */
export async function endSession(
  context: Context,
  { signIns }: Pick<DeployerDatabase, "signIns">,
): Promise<void> {
  const token = getCookie(context, COOKIE) ?? bearerOf(context);
  if (token !== undefined) await signIns.end(token);
  deleteCookie(context, COOKIE, { path: "/" });
}
