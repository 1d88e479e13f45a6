import { errors as jose } from "jose";
import {
  AuthorizationResponseError,
  ClientError,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from "openid-client";
import { AgentError } from "../agents/base/agent_error.ts";
import {
  NotAuthenticatedError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../agents/model_deployer/errors.ts";

const SERVICE = "oidc";

/** An error of a sign-in as one of ours; nothing of a token is in it. */
export function providerProblem(error: unknown, issuer: string): AgentError {
  if (error instanceof AgentError) return error;
  const cause = error;
  if (error instanceof jose.JOSEError) return tokenProblem(error, issuer);
  if (error instanceof AuthorizationResponseError) {
    return new NotAuthenticatedError(`${issuer} let nobody sign in: ${error.error}.`, { cause });
  }
  if (error instanceof WWWAuthenticateChallengeError) {
    return new ServiceRefusedError(SERVICE, `${issuer} refuses this client and its secret.`, { cause });
  }
  if (error instanceof ResponseBodyError) {
    const isOurs = ["invalid_client", "unauthorized_client", "invalid_scope"].includes(error.error);
    return isOurs
      ? new ServiceRefusedError(SERVICE, `${issuer} refuses this client: ${error.error}.`, { cause })
      : new NotAuthenticatedError(`${issuer} does not take the sign-in: ${error.error}; begin anew.`, {
          cause,
        });
  }
  if (error instanceof ClientError && isClaimProblem(error)) {
    return new NotAuthenticatedError(`${issuer} answered what was not asked for: ${error.message}.`, {
      cause,
    });
  }
  return new ServiceUnavailableError(SERVICE, `${issuer} does not answer as a provider of identities does.`, {
    cause,
  });
}

/** The library's own checks of an answer: signature, nonce, state, times and audience. */
const isClaimProblem = ({ code }: ClientError): boolean =>
  code !== undefined &&
  !["OAUTH_TIMEOUT", "OAUTH_ABORT", "OAUTH_HTTP_REQUEST_FORBIDDEN", "OAUTH_RESPONSE_IS_NOT_CONFORM"].includes(
    code,
  );

function tokenProblem(error: jose.JOSEError, issuer: string): AgentError {
  const cause = error;
  if (error instanceof jose.JWTExpired) {
    return new NotAuthenticatedError(`The token of ${issuer} has expired; sign in again.`, { cause });
  }
  if (error instanceof jose.JWTClaimValidationFailed) {
    const { claim } = error;
    const why: Record<string, string> = {
      aud: "is for somebody else: its audience is not this deployer",
      iss: "is another issuer's",
      nbf: "is not valid yet: the provider's clock, or this machine's, is off by more than a minute",
    };
    return new NotAuthenticatedError(`The token ${why[claim] ?? `is not valid: its ${claim} is wrong`}.`, {
      cause,
    });
  }
  if (error instanceof jose.JWKSTimeout || error instanceof jose.JWKSInvalid) {
    return new ServiceUnavailableError(SERVICE, `${issuer} does not give its keys.`, { cause });
  }
  return new NotAuthenticatedError(`The token is not one that ${issuer} has signed.`, { cause });
}
