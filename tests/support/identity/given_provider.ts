import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { type ClientMetadata, Provider } from "oidc-provider";
import { onTestFinished } from "vitest";
import { OpenIdProvider } from "../../../src/identity/openid_provider.ts";

export const AUDIENCE = "urn:model-deployer:api";
export const CONSOLE_CALLBACK = "http://127.0.0.1:8300/v1/oidc/callback";
export const PIPELINE_SECRET = "the-secret-of-the-pipeline";
const CONSOLE_SECRET = "the-secret-of-the-console";

/** Who is in which group at the provider; changed by a test. */
export type People = Record<string, { name: string; groups: string[] }>;

export interface GivenProvider {
  issuer: string;
  people: People;
  /** Subjects whose accounts the provider has closed. */
  closed: Set<string>;
  /** How often it was asked at its token endpoint. */
  tokenRequests: () => number;
  /** The deployer's side of it. */
  provider: OpenIdProvider;
  /** A token as the provider signs it, or with another key. */
  signed(claims: Record<string, unknown>, options?: SignedOptions): Promise<string>;
  stop(): Promise<void>;
}

interface SignedOptions {
  typ?: string;
  audience?: string;
  issuedAt?: number;
  expiresIn?: number;
  forged?: boolean;
}

const grants = {
  code: "authorization_code",
  device: "urn:ietf:params:oauth:grant-type:device_code",
  client: "client_credentials",
  refresh: "refresh_token",
};

/**
 * A provider of identities on 127.0.0.1 (npm oidc-provider), which lets everybody sign in under any password.
 * @param callbackFor where the console of this issuer is returned to
 */
export async function givenProvider(
  callbackFor: (issuer: string) => Promise<string> = async () => CONSOLE_CALLBACK,
): Promise<GivenProvider> {
  const [keys, others] = await Promise.all([1, 2].map(() => generateKeyPair("RS256", { extractable: true })));
  if (keys === undefined || others === undefined) throw new TypeError("no keys");
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const issuer = `http://127.0.0.1:${portOf(server)}`;
  const people: People = { "sub-ana": { name: "ana.lopez", groups: ["ml-ops"] } };
  const jwk = { ...(await exportJWK(keys.privateKey)), kid: "one", alg: "RS256", use: "sig" };
  const closed = new Set<string>();
  const callback = await callbackFor(issuer);
  const answer = oidcProvider(issuer, { people, closed }, { jwk, callback }).callback();
  let asked = 0;
  server.on("request", (request, response) => {
    if (request.url === "/token") asked += 1;
    void answer(request, response);
  });
  const stop = async () => {
    if (!server.listening) return;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  onTestFinished(stop);
  const signed: GivenProvider["signed"] = (claims, options = {}) => {
    const now = Math.floor(Date.now() / 1000);
    const { typ, audience = "terminal", issuedAt = now, expiresIn = 300, forged = false } = options;
    return new SignJWT({ sub: "sub-ana", ...claims })
      .setProtectedHeader({ alg: "RS256", kid: "one", ...(typ !== undefined && { typ }) })
      .setIssuer(issuer)
      .setAudience(audience)
      .setIssuedAt(issuedAt)
      .setExpirationTime(issuedAt + expiresIn)
      .sign(forged ? others.privateKey : keys.privateKey);
  };
  const tokenRequests = () => asked;
  return { issuer, people, closed, tokenRequests, provider: deployersSide(issuer), signed, stop };
}

/** @param scope with `offline_access` the provider lets itself be asked again */
export function deployersSide(issuer: string, scope = "openid profile"): OpenIdProvider {
  return new OpenIdProvider({
    ...{ issuer, clientId: "console", clientSecret: async () => CONSOLE_SECRET },
    ...{ terminalClientId: "terminal", audience: AUDIENCE, scope },
    ...{ nameClaim: "preferred_username", groupsClaim: "groups" },
  });
}

function oidcProvider(
  issuer: string,
  { people, closed }: Pick<GivenProvider, "people" | "closed">,
  { jwk, callback }: { jwk: Record<string, unknown>; callback: string },
): Provider {
  return new Provider(issuer, {
    jwks: { keys: [jwk] },
    clients: clientsOf(callback),
    features: {
      deviceFlow: { enabled: true },
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          ...{ scope: "", audience: AUDIENCE, accessTokenFormat: "jwt", jwt: { sign: { alg: "RS256" } } },
        }),
      },
    },
    claims: { openid: ["sub"], profile: ["preferred_username", "groups"] },
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    findAccount: (_, accountId) =>
      closed.has(accountId)
        ? undefined
        : {
            accountId,
            claims: () => ({
              sub: accountId,
              preferred_username: people[accountId]?.name ?? accountId,
              groups: people[accountId]?.groups ?? [],
            }),
          },
    cookies: { keys: ["a key for the tests"] },
  });
}

/** The console, the command line, and a pipeline. */
function clientsOf(callback: string): ClientMetadata[] {
  const web = { grant_types: [grants.code, grants.refresh], response_types: ["code" as const] };
  return [
    { client_id: "console", client_secret: CONSOLE_SECRET, redirect_uris: [callback], ...web },
    {
      ...{ client_id: "terminal", token_endpoint_auth_method: "none", application_type: "native" },
      ...{ redirect_uris: ["http://127.0.0.1/callback"], response_types: ["code"] },
      grant_types: [grants.code, grants.device, grants.refresh],
    },
    {
      ...{ client_id: "pipeline", client_secret: PIPELINE_SECRET },
      ...{ redirect_uris: [], response_types: [], grant_types: [grants.client] },
    },
  ];
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}
