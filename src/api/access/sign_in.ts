import type { Context, Hono } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { z } from "zod";
import { AgentError } from "../../agents/base/agent_error.ts";
import { InvalidRequestError, NotAuthenticatedError } from "../../agents/model_deployer/errors.ts";
import { openSession, requireProvider, type SignIns } from "../../service/people/opened_session.ts";
import {
  openedSessionSchema,
  providerSchema,
  signInRequestSchema,
} from "../../service/people/sign_in_schemas.ts";
import type { ApiParts } from "../api_parts.ts";
import { keepToken, originOf } from "./authentication.ts";
import { problemOf } from "../problem.ts";
import { jsonOf } from "../request_body.ts";

/** The cookie of a browser on its way to the provider and back: sealed, and of no use to another browser. */
const UNDER_WAY = "model_deployer_sign_in";
const PLACE = "oidc/sign_in";
const CALLBACK = "/v1/oidc/callback";
const LONGEST_SECONDS = 600;

interface SignInParts extends Pick<ApiParts, "database" | "secrets"> {
  signIns: SignIns | null;
  /** Where browsers reach the console; the address that they ask unless it is set. */
  publicUrl: string | null;
}

/** The routes that are asked before somebody is known. */
export function addSignIn(app: Hono, parts: SignInParts): void {
  app.get("/v1/oidc", (context) =>
    context.json(providerSchema.parse(requireProvider(parts.signIns).provider.describe())),
  );
  app.post("/v1/sessions", (context) => exchange(context, parts));
  app.get("/v1/oidc/login", (context) => begin(context, parts));
  app.get(CALLBACK, (context) => complete(context, parts));
}

/** A token of the provider for a session here, which a command line or a machine goes on with. */
async function exchange(context: Context, parts: SignInParts): Promise<Response> {
  const set = requireProvider(parts.signIns);
  const body = signInRequestSchema.safeParse(await jsonOf(context));
  if (!body.success) {
    throw new InvalidRequestError(
      'A sign-in is {"token": "..."}: an ID token, with the "refresh_token" that came with it, or a machine\'s access token.',
    );
  }
  const { token, refresh_token } = body.data;
  const identity = await set.provider.identify(token);
  const { client_id } = set.provider.describe();
  const renewal = refresh_token === undefined ? null : { client_id, refresh_token };
  const opened = await openSession(parts, set, { identity, renewal }, originOf(context));
  return context.json(openedSessionSchema.parse(opened), 201, { "cache-control": "no-store" });
}

async function begin(context: Context, { signIns, secrets, publicUrl }: SignInParts): Promise<Response> {
  const { provider } = requireProvider(signIns);
  const base = publicUrl ?? context.req.url;
  const redirectUri = new URL(CALLBACK, base).href;
  const { url, kept } = await provider.begin(redirectUri);
  const { kept: sealed } = await secrets.keep(kept, PLACE);
  setCookie(context, UNDER_WAY, sealed, {
    ...{ httpOnly: true, sameSite: "Lax", path: CALLBACK, maxAge: LONGEST_SECONDS },
    secure: base.startsWith("https:"),
  });
  return context.redirect(url);
}

/** A person's browser is on its way: what goes wrong is shown on the page, not as JSON. */
async function complete(context: Context, parts: SignInParts): Promise<Response> {
  const { signIns, publicUrl } = parts;
  const set = requireProvider(signIns);
  const base = publicUrl ?? context.req.url;
  // Set first, since an answer takes over the headers that are set when it is made.
  deleteCookie(context, UNDER_WAY, { path: CALLBACK });
  try {
    const kept = await keptIn(context, parts);
    const asked = new URL(`${CALLBACK}${new URL(context.req.url).search}`, base);
    const signedIn = await set.provider.complete({ url: asked.href, kept });
    const { token } = await openSession(parts, set, signedIn, originOf(context));
    keepToken(context, token, base);
    return context.redirect("/");
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    const { detail } = problemOf(error);
    return context.redirect(`/#sign-in=${encodeURIComponent(detail)}`);
  }
}

const sealedSchema = z.string().startsWith("sealed:");

async function keptIn(context: Context, { secrets }: SignInParts): Promise<string> {
  const sealed = sealedSchema.safeParse(getCookie(context, UNDER_WAY));
  if (sealed.success) {
    try {
      return await secrets.open(sealed.data, PLACE);
    } catch (cause) {
      throw new NotAuthenticatedError("The sign-in was begun elsewhere; begin anew.", { cause });
    }
  }
  throw new NotAuthenticatedError(
    "No sign-in is under way in this browser, or it took too long; begin anew.",
  );
}
