import type { DeployerDatabase } from "../database/index.ts";
import type { Invocation } from "./runner.ts";

/** The principal of the token; without one what is written is the operator's. @throws NotAuthenticatedError */
export async function requesterOf(
  invocation: Invocation,
  { principals }: Pick<DeployerDatabase, "principals">,
): Promise<string> {
  const { token } = await invocation.configuration();
  return token === null ? "operator" : (await principals.authenticate(token)).principal;
}
