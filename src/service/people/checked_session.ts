import { AgentError } from "../../agents/base/agent_error.ts";
import type { Origin } from "../../agents/model_deployer/domain/access/roles.ts";
import { NotAuthenticatedError } from "../../agents/model_deployer/errors.ts";
import type { SignedIn } from "../../agents/model_deployer/ports/identity_provider.ts";
import type { SecretKeeper } from "../../agents/model_deployer/ports/notification_ports.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import { openedRenewal, sealedRenewal } from "./kept_renewal.ts";
import { rolesOf, type SignIns } from "./opened_session.ts";

interface Desk {
  database: Pick<DeployerDatabase, "signIns">;
  secrets: SecretKeeper;
  /** Is told of a provider that could not be asked: nobody's work ends for that. */
  onUnasked: (error: AgentError) => void;
}

/**
 * Asks the provider anew for the groups of a session's person, where that is due; any other token is left alone.
 * @throws NotAuthenticatedError where the provider vouches for them no longer, NotPermittedError where nothing gives a role
 * any more: the session has ended
 */
export async function checkSession(
  desk: Desk,
  signIns: SignIns,
  { token, origin }: { token: string; origin: Origin },
): Promise<void> {
  const { database, secrets, onUnasked } = desk;
  const due = await database.signIns.dueCheck(token, signIns.checkMinutes * 60);
  if (due === null) return;
  const person = { issuer: due.provider, subject: due.subject };
  let now: SignedIn;
  try {
    now = await signIns.provider.renew(await openedRenewal(secrets, person, due.renewal));
  } catch (cause) {
    if (cause instanceof NotAuthenticatedError) {
      await database.signIns.end(token);
      throw new NotAuthenticatedError(
        `${due.provider} no longer vouches for this session, which has ended; sign in again.`,
        { cause },
      );
    }
    if (!(cause instanceof AgentError)) throw cause;
    return onUnasked(cause);
  }
  const { identity, renewal } = now;
  if (identity.issuer !== person.issuer || identity.subject !== person.subject) {
    await database.signIns.end(token);
    throw new NotAuthenticatedError(
      `${due.provider} answers for somebody else than who began this session, which has ended; sign in again.`,
    );
  }
  const kept = renewal === null ? null : await sealedRenewal(secrets, person, renewal);
  await database.signIns.checked({
    identity,
    grants: rolesOf(signIns, identity),
    token,
    renewal: kept,
    origin,
  });
}
