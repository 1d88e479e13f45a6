import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";

/** False for a call that its caller gave up, and for one that the open circuit refused. */
export function isWorthAnotherTry(error: unknown): boolean {
  if (!(error instanceof ServiceUnavailableError)) return false;
  return error.details["given_up"] !== true && error.details["breaker"] !== "open";
}
