import type { Actor, Extent, Origin, Right } from "../../agents/model_deployer/domain/access/roles.ts";
import { requireRightFor } from "../../agents/model_deployer/operations/required_rights.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import { operatingUser } from "../../platform/operating_user.ts";
import type { Invocation } from "./invocation.ts";

/** This process, as where a request comes from. */
export function originOfProcess(as: Origin["as"], via: Origin["via"]): Origin {
  return { as, via, ...operatingUser(), address: null };
}

/**
 * The principal of the token, who needs the right; without a token, `operator` with the rights of the login.
 * @throws NotAuthenticatedError | NotPermittedError
 */
export async function authorizedActor(
  invocation: Invocation,
  database: Pick<DeployerDatabase, "principals" | "access">,
  needs: { right: Right; extent: Extent; subject: string },
): Promise<Actor> {
  const { token } = await invocation.configuration();
  if (token === null) return { who: "operator", origin: originOfProcess("session", "command_line") };
  const origin = originOfProcess("token", "command_line");
  const { principal } = await database.principals.authenticate(token);
  await requireRightFor(database, { requested_by: principal, origin }, needs.right, needs);
  return { who: principal, origin };
}
