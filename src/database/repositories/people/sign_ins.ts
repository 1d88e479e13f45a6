import { z } from "zod";
import type { Grant, Origin } from "../../../agents/model_deployer/domain/access/roles.ts";
import {
  ConflictError,
  NotAuthenticatedError,
  NotPermittedError,
} from "../../../agents/model_deployer/errors.ts";
import { shellWord } from "../../../agents/model_deployer/domain/values/shell_word.ts";
import type { VerifiedIdentity } from "../../../agents/model_deployer/ports/identity_provider.ts";
import { requirePlainName } from "../../connection/plain_input.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { anyRow, type Transaction } from "../../connection/transaction.ts";
import { actingAs, tellAudit } from "./acting_as.ts";
import { addToken, authenticateWith, grantRole, hashOf, isOwnName } from "./principals.ts";

interface CheckedSignIn {
  identity: VerifiedIdentity;
  /** The roles that its groups give. */
  grants: readonly Grant[];
  token: string;
  /** The sealed credential by which the provider is asked the next time; null: it is not asked again. */
  renewal: string | null;
  origin: Origin;
}

interface SignIn extends CheckedSignIn {
  expires_at: string;
}

const dueRow = z.strictObject({ provider: z.string(), subject: z.string(), renewal: z.string() });
const nameRow = z.strictObject({ principal: z.string() });
const knownRow = nameRow.extend({ is_removed: z.boolean() });
const heldRow = z.strictObject({
  grant_id: z.string(),
  role: z.string(),
  experiment_id: z.string().nullable(),
  granted_by: z.string().nullable(),
});

/** Sessions that a sign-in at a provider opens; written as the tables' owner. */
export class PostgresSignIns {
  readonly #owner: SqlDatabase;

  constructor(owner: SqlDatabase) {
    this.#owner = owner;
  }

  /**
   * Opens a session for whom the provider's subject is: the principal that it is linked to, or a new one of its name. What
   * its groups gave at an earlier sign-in, and do not give any more, ends here; what an administrator granted stays.
   * @throws NotAuthenticatedError for one who was removed, ConflictError where the name is somebody's already,
   * NotPermittedError where nothing gives a role
   */
  async open({
    identity,
    grants,
    token,
    expires_at,
    renewal,
    origin,
  }: SignIn): Promise<{ principal: string }> {
    const { issuer, subject } = identity;
    const signedIn = await this.#owner.transaction(async (tx) => {
      const linked = await linkedTo(tx, identity);
      if (linked === null && grants.length === 0) throw withoutRole(identity);
      const principal = linked ?? (await enrolled(tx, identity, origin));
      const by = { who: principal, origin };
      await actingAs(tx, by);
      await matchGrants(tx, principal, { grants, provider: issuer, origin });
      // The roles that end here have ended, although nobody is let in.
      if (!(await hasRole(tx, principal))) return null;
      const label = `signed in at ${issuer}`;
      await addToken(tx, { principal, kind: "session", token, label, expires_at, by });
      await keepRenewal(tx, { identity, token, renewal });
      await tellAudit(tx, by, ["session", principal, "signed_in"], { issuer, subject });
      return { principal };
    });
    if (signedIn === null) throw withoutRole(identity);
    return signedIn;
  }

  /** A token that an administrator made stays; the session of a sign-in ends. */
  async end(token: string): Promise<void> {
    await this.#owner.transaction((tx) => endSession(tx, token));
  }

  /**
   * The credential by which the provider of the token's session is asked, where that was not done for so long; null for all others.
   * Given to one caller for as long.
   */
  async dueCheck(token: string, seconds: number): Promise<z.infer<typeof dueRow> | null> {
    const [due] = await this.#owner.query(
      dueRow,
      `update ml_session_renewals set asked_at = clock_timestamp()
       where token_sha256 = $1 and $2 > 0 and asked_at < clock_timestamp() - make_interval(secs => $2)
       returning provider, subject, renewal`,
      [hashOf(token), seconds],
    );
    return due ?? null;
  }

  /**
   * Matches the roles of a session's person with their groups of now.
   * @throws NotPermittedError where nothing gives a role any more: the session has ended
   */
  async checked({ identity, grants, token, renewal, origin }: CheckedSignIn): Promise<void> {
    const stays = await this.#owner.transaction(async (tx) => {
      const { principal } = await authenticateWith(tx, token);
      await actingAs(tx, { who: principal, origin });
      await matchGrants(tx, principal, { grants, provider: identity.issuer, origin });
      if (!(await hasRole(tx, principal))) {
        await endSession(tx, token);
        return false;
      }
      await keepRenewal(tx, { identity, token, renewal });
      return true;
    });
    if (!stays) throw withoutRole(identity);
  }
}

async function endSession(tx: Transaction, token: string): Promise<void> {
  const sha256 = hashOf(token);
  await tx.query(
    anyRow,
    `update ml_tokens set revoked_at = clock_timestamp(), revoked_by = principal
     where token_sha256 = $1 and kind = 'session' and revoked_at is null`,
    [sha256],
  );
  await tx.query(anyRow, "delete from ml_session_renewals where token_sha256 = $1", [sha256]);
}

/** Those of sessions that are over are gone with the next one that is kept. */
async function keepRenewal(
  tx: Transaction,
  { identity: { issuer, subject }, token, renewal }: Pick<CheckedSignIn, "identity" | "token" | "renewal">,
): Promise<void> {
  await tx.query(
    anyRow,
    `delete from ml_session_renewals r using ml_tokens t where t.token_sha256 = r.token_sha256
       and (t.token_sha256 = $1 or t.revoked_at is not null or t.expires_at <= clock_timestamp())`,
    [hashOf(token)],
  );
  if (renewal === null) return;
  await tx.query(
    anyRow,
    `insert into ml_session_renewals (token_sha256, provider, subject, renewal) values ($1, $2, $3, $4)`,
    [hashOf(token), issuer, subject, renewal],
  );
}

async function linkedTo(tx: Transaction, { issuer, subject }: VerifiedIdentity): Promise<string | null> {
  const [found] = await tx.query(
    knownRow,
    `select p.principal, p.removed_at is not null as is_removed
     from ml_logins l join ml_principals p using (principal)
     where l.provider = $1 and l.subject = $2 and l.unlinked_at is null`,
    [issuer, subject],
  );
  if (found?.is_removed === true) {
    throw new NotAuthenticatedError(
      `${found.principal} was removed; an administrator enrols them again with model-deployer principals enrol.`,
    );
  }
  return found?.principal ?? null;
}

/** A name that is somebody's already is not given to whoever is called so at the provider. */
async function enrolled(
  tx: Transaction,
  { issuer, subject, kind, name }: VerifiedIdentity,
  origin: Origin,
): Promise<string> {
  const principal = (name ?? subject).trim();
  requirePlainName("The name that the provider gives", principal);
  const login = `--issuer ${shellWord(issuer)} --subject ${shellWord(subject)}`;
  if (isOwnName(principal)) {
    throw new ConflictError(
      `${principal} is the deployer's own name: an administrator enrols you by another, and links it with ` +
        `model-deployer principals link <name> ${login}`,
      { retryable: false },
    );
  }
  await actingAs(tx, { who: principal, origin });
  const [made] = await tx.query(
    nameRow,
    `insert into ml_principals (principal, name_key, kind, enrolled_by) values ($1, ml_name_key($1), $2, $3)
     on conflict (name_key) where same_as is null do nothing returning principal`,
    [principal, kind, issuer],
  );
  if (made === undefined) {
    throw new ConflictError(
      `${principal} is a principal already, and nothing says that it is you: an administrator does, with ` +
        `model-deployer principals link ${shellWord(principal)} ${login}`,
      { retryable: false },
    );
  }
  await tx.query(
    anyRow,
    "insert into ml_logins (provider, subject, principal, linked_by) values ($1, $2, $3, $1)",
    [issuer, subject, principal],
  );
  return principal;
}

async function matchGrants(
  tx: Transaction,
  principal: string,
  { grants, provider, origin }: { grants: readonly Grant[]; provider: string; origin: Origin },
): Promise<void> {
  const held = await tx.query(
    heldRow,
    `select grant_id::text, role, experiment_id, granted_by from ml_grants
     where principal = $1 and revoked_at is null for update`,
    [principal],
  );
  const isGiven = (one: { role: string; experiment_id: string | null }) =>
    grants.some(({ role, experiment_id }) => role === one.role && experiment_id === one.experiment_id);
  const ended = held.filter((one) => one.granted_by === provider && !isGiven(one));
  await tx.query(
    anyRow,
    `update ml_grants set revoked_at = clock_timestamp(), revoked_by = $2 where grant_id = any ($1::bigint[])`,
    [ended.map(({ grant_id }) => grant_id), provider],
  );
  for (const grant of grants) await grantRole(tx, { principal, ...grant, by: { who: provider, origin } });
}

async function hasRole(tx: Transaction, principal: string): Promise<boolean> {
  const sql = "select principal from ml_grants where principal = $1 and revoked_at is null limit 1";
  return (await tx.query(nameRow, sql, [principal])).length > 0;
}

function withoutRole({ name, subject, groups, kind }: VerifiedIdentity): NotPermittedError {
  const found =
    groups.length === 0
      ? "the provider names no group of theirs"
      : `MODEL_DEPLOYER_OIDC_ROLES gives none to ${groups.slice(0, 20).join(", ")}`;
  const way = "An administrator adds a group and its role there, or grants a role";
  return new NotPermittedError(`${name ?? subject} has no role here: ${found}. ${way} to this ${kind}.`, {
    details: { subject, groups: groups.slice(0, 20) },
  });
}
