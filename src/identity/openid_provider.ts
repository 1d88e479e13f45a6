import { createRemoteJWKSet, type JWTVerifyGetKey } from "jose";
import * as client from "openid-client";
import { z } from "zod";
import { NotAuthenticatedError, ServiceUnavailableError } from "../agents/model_deployer/errors.ts";
import type {
  IdentityProvider,
  ProviderDescription,
  Renewal,
  SignedIn,
  VerifiedIdentity,
} from "../agents/model_deployer/ports/identity_provider.ts";
import { consentFor } from "./consent.ts";
import { discovered } from "./discovered.ts";
import { providerProblem } from "./provider_problem.ts";
import { type ClaimSettings, identityOf, verifiedToken } from "./verified_token.ts";

interface ProviderSettings {
  issuer: string;
  /** Of the console, which has the secret where there is one. */
  clientId: string;
  /** The client's secret; null for one that is public. */
  clientSecret: () => Promise<string | null>;
  /** Of the command line, which has no secret. */
  terminalClientId: string;
  audience: string;
  scope: string;
  nameClaim: string;
  groupsClaim: string;
}

const keptSchema = z.strictObject({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  /** Milliseconds since 1970. */
  begun_at: z.number(),
});
const LONGEST_MS = 600_000;

interface Found {
  configuration: client.Configuration;
  /** As the provider itself writes it. */
  issuer: string;
  keys: JWTVerifyGetKey;
}

/** A provider by its discovery document, which is read when it is first needed. */
export class OpenIdProvider implements IdentityProvider {
  readonly #settings: ProviderSettings;
  #found: Promise<Found> | null = null;

  constructor(settings: ProviderSettings) {
    this.#settings = settings;
  }

  describe(): ProviderDescription {
    const { issuer, terminalClientId, scope, audience } = this.#settings;
    return { issuer, client_id: terminalClientId, scope, audience };
  }

  async begin(redirectUri: string): Promise<{ url: string; kept: string }> {
    const { configuration } = await this.#provider();
    const kept = {
      state: client.randomState(),
      nonce: client.randomNonce(),
      verifier: client.randomPKCECodeVerifier(),
      begun_at: Date.now(),
    };
    const { href: url } = client.buildAuthorizationUrl(configuration, {
      redirect_uri: redirectUri,
      scope: this.#settings.scope,
      state: kept.state,
      nonce: kept.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(kept.verifier),
      code_challenge_method: "S256",
      ...consentFor(this.#settings.scope),
    });
    return { url, kept: JSON.stringify(kept) };
  }

  async complete({ url, kept }: { url: string; kept: string }): Promise<SignedIn> {
    const { state, nonce, verifier, begun_at } = keptSchema.parse(JSON.parse(kept));
    if (Date.now() - begun_at > LONGEST_MS) {
      throw new NotAuthenticatedError("The sign-in took longer than ten minutes; begin anew.");
    }
    const { configuration, issuer } = await this.#provider();
    try {
      const tokens = await client.authorizationCodeGrant(configuration, new URL(url), {
        pkceCodeVerifier: verifier,
        expectedState: state,
        expectedNonce: nonce,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      if (claims === undefined) throw new NotAuthenticatedError("The provider gave no ID token.");
      const identity = identityOf(claims, this.#claims(issuer), claims.sub);
      return { identity, renewal: this.#renewal(this.#settings.clientId, tokens.refresh_token) };
    } catch (error) {
      throw providerProblem(error, this.#settings.issuer);
    }
  }

  async renew({ client_id, refresh_token }: Renewal): Promise<SignedIn> {
    const { configuration: console, issuer } = await this.#provider();
    try {
      const configuration =
        client_id === this.#settings.clientId
          ? console
          : await discovered(this.#settings.issuer, client_id, null);
      const tokens = await client.refreshTokenGrant(configuration, refresh_token);
      const claims = await claimsOf(configuration, tokens, this.#settings.groupsClaim);
      const identity = identityOf(claims, this.#claims(issuer), claims.sub);
      return { identity, renewal: this.#renewal(client_id, tokens.refresh_token ?? refresh_token) };
    } catch (error) {
      throw providerProblem(error, this.#settings.issuer);
    }
  }

  async identify(token: string): Promise<VerifiedIdentity> {
    const { keys, issuer } = await this.#provider();
    try {
      return await verifiedToken(token, keys, this.#claims(issuer));
    } catch (error) {
      throw providerProblem(error, this.#settings.issuer);
    }
  }

  #renewal(client_id: string, refresh_token: string | undefined): Renewal | null {
    return refresh_token === undefined ? null : { client_id, refresh_token };
  }

  #claims(issuer: string): ClaimSettings {
    const { clientId, terminalClientId, audience, nameClaim, groupsClaim } = this.#settings;
    return { issuer, clientIds: [clientId, terminalClientId], audience, nameClaim, groupsClaim };
  }

  /** One that did not answer is asked again. */
  async #provider(): Promise<Found> {
    this.#found ??= this.#discover();
    try {
      return await this.#found;
    } catch (error) {
      this.#found = null;
      throw error;
    }
  }

  async #discover(): Promise<Found> {
    const { issuer, clientId, clientSecret } = this.#settings;
    const secret = await clientSecret();
    const configuration = await discovered(issuer, clientId, secret);
    const { jwks_uri, issuer: written } = configuration.serverMetadata();
    if (jwks_uri === undefined) {
      throw new ServiceUnavailableError("oidc", `${issuer} names no keys in its discovery document.`);
    }
    const keys = createRemoteJWKSet(new URL(jwks_uri), { timeoutDuration: 5000 });
    return { configuration, issuer: written, keys };
  }
}

/** By the ID token; by the provider's answer about the user too, where that token does not speak of groups. */
async function claimsOf(
  configuration: client.Configuration,
  tokens: Awaited<ReturnType<typeof client.refreshTokenGrant>>,
  groupsClaim: string,
): Promise<Record<string, unknown> & { sub: string }> {
  const inToken = tokens.claims();
  const isWhole = inToken !== undefined && groupsClaim in inToken;
  if (isWhole || configuration.serverMetadata().userinfo_endpoint === undefined) {
    if (inToken !== undefined) return inToken;
    throw new NotAuthenticatedError("The provider says no more who it is.");
  }
  const subject = inToken?.sub ?? client.skipSubjectCheck;
  return { ...(await client.fetchUserInfo(configuration, tokens.access_token, subject)), ...inToken };
}
