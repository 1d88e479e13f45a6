import {
  allowInsecureRequests,
  ClientSecretBasic,
  clockTolerance,
  type Configuration,
  discovery,
  None,
} from "openid-client";
import { ConfigurationError } from "../agents/model_deployer/errors.ts";
import { isLoopback } from "../platform/loopback.ts";
import { providerProblem } from "./provider_problem.ts";
import { CLOCK_SECONDS } from "./verified_token.ts";

const PATIENCE_SECONDS = 5;

/** A provider by its discovery document, as this client. @throws ConfigurationError | ServiceUnavailableError */
export async function discovered(
  issuer: string,
  clientId: string,
  secret: string | null,
): Promise<Configuration> {
  const address = requireSafe(issuer);
  const isInside = address.protocol === "http:";
  try {
    return await discovery(
      address,
      clientId,
      { [clockTolerance]: CLOCK_SECONDS },
      secret === null ? None() : ClientSecretBasic(secret),
      { timeout: PATIENCE_SECONDS, ...(isInside && { execute: [allowInsecureRequests] }) },
    );
  } catch (error) {
    throw providerProblem(error, issuer);
  }
}

/** A token goes over TLS, or stays on this machine. */
function requireSafe(issuer: string): URL {
  const address = URL.canParse(issuer) ? new URL(issuer) : null;
  const isSafe =
    address?.protocol === "https:" || (address?.protocol === "http:" && isLoopback(address.hostname));
  if (address !== null && isSafe) return address;
  throw new ConfigurationError(
    `The issuer is ${JSON.stringify(issuer.slice(0, 200))}: write its address with https://, or with http:// on this machine.`,
  );
}
