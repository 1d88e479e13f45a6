import { once } from "node:events";
import { createServer } from "node:http";
import * as client from "openid-client";
import { NotAuthenticatedError } from "../agents/model_deployer/errors.ts";
import type { CallOptions } from "../agents/model_deployer/ports/call_options.ts";
import type { ProviderDescription } from "../agents/model_deployer/ports/identity_provider.ts";
import { consentFor } from "./consent.ts";
import { discovered } from "./discovered.ts";
import { providerProblem } from "./provider_problem.ts";

/** Tokens that a provider gave to a person at a terminal. */
interface TerminalTokens {
  id_token: string;
  /** By which it says later who they still are; null where it gave none. */
  refresh_token: string | null;
}

type Given = Readonly<{ id_token?: string | undefined; refresh_token?: string | undefined }>;

const DONE = "You have signed in; this page can be closed.\n";
const FAILED = "The sign-in failed; the terminal says why.\n";

/** A person's tokens by their browser, which comes back to a port of this machine. @throws NotAuthenticatedError */
export async function byBrowser(
  { issuer, client_id, scope }: ProviderDescription,
  show: (url: string) => void,
  { signal }: CallOptions,
): Promise<TerminalTokens> {
  const configuration = await discovered(issuer, client_id, null);
  const callback = await listenForCallback(signal);
  try {
    const [state, nonce, verifier] = [
      client.randomState(),
      client.randomNonce(),
      client.randomPKCECodeVerifier(),
    ];
    const { href } = client.buildAuthorizationUrl(configuration, {
      redirect_uri: callback.url,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
      ...{ scope, state, nonce },
      ...consentFor(scope),
    });
    show(href);
    const tokens = await client.authorizationCodeGrant(configuration, await callback.returned, {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
      idTokenExpected: true,
    });
    return terminalTokens(tokens);
  } catch (error) {
    if (signal.aborted) throw error;
    throw providerProblem(error, issuer);
  } finally {
    callback.close();
  }
}

interface Callback {
  url: string;
  /** Where the provider has sent the browser; rejected when the signal is aborted. */
  returned: Promise<URL>;
  close(): void;
}

async function listenForCallback(signal: AbortSignal): Promise<Callback> {
  const returned = Promise.withResolvers<URL>();
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", base());
    if (url.pathname !== "/callback") return void response.writeHead(404).end();
    const isDone = url.searchParams.has("code");
    response.writeHead(isDone ? 200 : 400, { "content-type": "text/plain" }).end(isDone ? DONE : FAILED);
    returned.resolve(url);
  });
  const base = () => `http://127.0.0.1:${portOf(server.address())}`;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const leave = () => returned.reject(signal.reason);
  signal.addEventListener("abort", leave, { once: true });
  return {
    url: `${base()}/callback`,
    returned: returned.promise,
    close: () => {
      signal.removeEventListener("abort", leave);
      server.closeAllConnections();
      server.close();
    },
  };
}

const portOf = (address: ReturnType<ReturnType<typeof createServer>["address"]>): number =>
  typeof address === "object" && address !== null ? address.port : 0;

/** A person's tokens where there is no browser: they enter a code on any other machine. */
export async function byDevice(
  { issuer, client_id, scope }: ProviderDescription,
  show: (told: { url: string; code: string }) => void,
  { signal }: CallOptions,
): Promise<TerminalTokens> {
  const configuration = await discovered(issuer, client_id, null);
  try {
    const started = await client.initiateDeviceAuthorization(configuration, { scope });
    show({
      url: started.verification_uri_complete ?? started.verification_uri,
      code: started.user_code,
    });
    const tokens = await client.pollDeviceAuthorizationGrant(configuration, started, undefined, { signal });
    return terminalTokens(tokens);
  } catch (error) {
    if (signal.aborted) throw error;
    throw providerProblem(error, issuer);
  }
}

/** A machine's access token, by its client's secret. */
export async function asClient(
  { issuer, audience }: ProviderDescription,
  { clientId, secret }: { clientId: string; secret: string },
): Promise<string> {
  const configuration = await discovered(issuer, clientId, secret);
  try {
    const { access_token } = await client.clientCredentialsGrant(configuration, {
      // RFC 8707's name for it, which has to be an address, and the one that others know.
      ...(URL.canParse(audience) && { resource: audience }),
      audience,
    });
    return access_token;
  } catch (error) {
    throw providerProblem(error, issuer);
  }
}

function terminalTokens({ id_token, refresh_token }: Given): TerminalTokens {
  if (id_token !== undefined) return { id_token, refresh_token: refresh_token ?? null };
  throw new NotAuthenticatedError("The provider gave no ID token; its client needs the scope openid.");
}
