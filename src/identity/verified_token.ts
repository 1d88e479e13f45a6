import { type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import { z } from "zod";
import { NotAuthenticatedError } from "../agents/model_deployer/errors.ts";
import type { VerifiedIdentity } from "../agents/model_deployer/ports/identity_provider.ts";

/** How far apart the clocks of the provider and this machine may be. */
export const CLOCK_SECONDS = 60;
/** An ID token is handed over at once; an older one may have been found somewhere. */
const LONGEST_SECONDS = 600;
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];

export interface ClaimSettings {
  issuer: string;
  /** Whose ID tokens are taken. */
  clientIds: readonly string[];
  /** Whom a machine's access token is for. */
  audience: string;
  nameClaim: string;
  groupsClaim: string;
}

const headerSchema = z.object({ typ: z.string().optional() });
const isAccessToken = (header: unknown): boolean =>
  /^(application\/)?at\+jwt$/i.test(headerSchema.parse(header).typ ?? "");

/** A person's ID token or a machine's access token (RFC 9068). @throws NotAuthenticatedError, or an error of jose's */
export async function verifiedToken(
  token: string,
  keys: JWTVerifyGetKey,
  settings: ClaimSettings,
): Promise<VerifiedIdentity> {
  const { payload, protectedHeader } = await jwtVerify(token, keys, {
    issuer: settings.issuer,
    audience: [...settings.clientIds, settings.audience],
    algorithms: ALGORITHMS,
    clockTolerance: CLOCK_SECONDS,
    requiredClaims: ["sub", "iat", "exp"],
  });
  requireTime(payload);
  return isAccessToken(protectedHeader) ? machineOf(payload, settings) : personOf(payload, settings);
}

function requireTime({ iat = 0 }: JWTPayload): void {
  if (iat <= Date.now() / 1000 + CLOCK_SECONDS) return;
  throw new NotAuthenticatedError(
    "The token is of a time that has not come: the provider's clock, or this machine's, is off by more than a minute.",
  );
}

function machineOf(payload: JWTPayload, settings: ClaimSettings): VerifiedIdentity {
  const { sub = "", aud = [] } = payload;
  const client = textIn(payload, "client_id") ?? textIn(payload, "azp");
  if (client !== sub) {
    throw new NotAuthenticatedError(
      "The access token is a person's; a person signs in with `model-deployer login`, and a machine as its client.",
    );
  }
  requireAudience([aud].flat(), [settings.audience]);
  // A group that is named so is nobody's but this client's.
  const groups = [...groupsIn(payload, settings.groupsClaim), `client:${client}`];
  return { issuer: settings.issuer, subject: sub, kind: "machine", name: client, groups };
}

function personOf(payload: JWTPayload, settings: ClaimSettings): VerifiedIdentity {
  const { sub = "", aud = [], iat = 0 } = payload;
  requireAudience([aud].flat(), settings.clientIds);
  if (Date.now() / 1000 - iat > LONGEST_SECONDS + CLOCK_SECONDS) {
    throw new NotAuthenticatedError("The ID token is older than ten minutes; sign in again.");
  }
  return identityOf(payload, settings, sub);
}

/** A person by the claims of an ID token that was verified. */
export function identityOf(
  claims: Readonly<Record<string, unknown>>,
  { issuer, nameClaim, groupsClaim }: ClaimSettings,
  subject: string,
): VerifiedIdentity {
  const groups = groupsIn(claims, groupsClaim).filter((group) => !group.startsWith("client:"));
  return { issuer, subject, kind: "person", name: textIn(claims, nameClaim), groups };
}

function requireAudience(audiences: readonly string[], allowed: readonly string[]): void {
  if (audiences.some((one) => allowed.includes(one))) return;
  throw new NotAuthenticatedError("The token is for somebody else: its audience is not this deployer.");
}

function textIn(claims: Readonly<Record<string, unknown>>, name: string): string | null {
  const value = claims[name];
  return typeof value === "string" && value.trim() !== "" ? value : null;
}

const groupsSchema = z.array(z.string()).max(1000);

function groupsIn(claims: Readonly<Record<string, unknown>>, name: string): string[] {
  const value = claims[name];
  if (value === undefined) return [];
  const groups = groupsSchema.safeParse(typeof value === "string" ? [value] : value);
  if (groups.success) return groups.data;
  throw new NotAuthenticatedError(
    `The claim ${name} holds no list of groups; see MODEL_DEPLOYER_OIDC_GROUPS.`,
  );
}
