import { z } from "zod";
import {
  type Actor,
  type PrincipalView,
  principalViewSchema,
  type Role,
  tokenViewSchema,
} from "../../../agents/model_deployer/domain/access/roles.ts";
import { NotFoundError } from "../../../agents/model_deployer/errors.ts";
import { actingAs } from "./acting_as.ts";
import { requirePlainText } from "../../connection/plain_input.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { anyRow, type Transaction } from "../../connection/transaction.ts";
import { grantRole } from "./principals.ts";

const LIST = `select p.principal, p.kind, p.enrolled_at, p.enrolled_by, p.removed_at, p.removed_by, p.remove_reason,
    coalesce((select jsonb_agg(jsonb_build_object('role', g.role, 'experiment_id', g.experiment_id) order by g.grant_id)
      from ml_grants g where g.principal = p.principal and g.revoked_at is null), '[]') as grants,
    coalesce((select jsonb_agg(jsonb_build_object('provider', l.provider, 'subject', l.subject) order by l.login_id)
      from ml_logins l where l.principal = p.principal and l.unlinked_at is null), '[]') as logins,
    coalesce((select jsonb_agg(s.principal order by s.enrolled_at) from ml_principals s
      where s.same_as = p.principal), '[]') as spellings
  from ml_principals p where p.same_as is null and ($1::text is null or p.name_key = ml_name_key($1))
  order by p.removed_at is not null, p.principal`;

const TOKENS = `select t.principal, t.token_id, t.kind, t.label, t.created_at, t.expires_at, t.last_used_at, t.revoked_at,
    t.revoked_at is null and (t.expires_at is null or t.expires_at > clock_timestamp()) and p.removed_at is null
      as is_in_force
  from ml_tokens t join ml_principals p using (principal)
  where t.principal = any ($1) and (t.kind = 'token' or t.revoked_at is null and t.expires_at > clock_timestamp())
  order by t.created_at`;

const nameRow = z.strictObject({ principal: z.string() });
const endedRow = z.strictObject({ ended: z.int() });

/** An administrator's changes of principals; all but the list run as the tables' owner. */
export class PostgresPrincipalAdministration {
  readonly #database: SqlDatabase;
  readonly #owner: SqlDatabase;

  constructor(database: SqlDatabase, owner: SqlDatabase) {
    this.#database = database;
    this.#owner = owner;
  }

  /** All, or the one of that name however it is spelled. */
  async list(name: string | null = null): Promise<PrincipalView[]> {
    const found = await this.#database.query(principalViewSchema.omit({ tokens: true }), LIST, [name]);
    const tokens = await this.#database.query(tokenViewSchema.extend(nameRow.shape), TOKENS, [
      found.map(({ principal }) => principal),
    ]);
    return found.map((one) => ({
      ...one,
      tokens: tokens
        .filter(({ principal }) => principal === one.principal)
        .map(({ principal: _, ...token }) => token),
    }));
  }

  /** The same again changes nothing. @throws NotFoundError for an unknown principal or experiment */
  async grant(name: string, role: Role, experiment_id: string | null, by: Actor): Promise<void> {
    await this.#about(name, by, (tx, principal) => grantRole(tx, { principal, role, experiment_id, by }));
  }

  /** Approvals that are not used yet count no more once nothing lets their approver approve. @throws NotFoundError */
  async revokeRole(name: string, role: Role, experiment_id: string | null, by: Actor): Promise<void> {
    await this.#about(name, by, async (tx, principal) => {
      const revoked = await tx.query(
        anyRow,
        `update ml_grants set revoked_at = clock_timestamp(), revoked_by = $4
         where principal = $1 and role = $2 and experiment_id is not distinct from $3 and revoked_at is null
         returning grant_id`,
        [principal, role, experiment_id, by.who],
      );
      if (revoked.length > 0) return;
      const where = experiment_id === null ? "for all experiments" : `for ${experiment_id}`;
      throw new NotFoundError(`${principal} is no ${role} ${where}; principals list shows what each has.`);
    });
  }

  /** @throws NotFoundError where it is not in force */
  async revokeToken(tokenId: string, by: Actor): Promise<{ principal: string }> {
    return this.#owner.transaction(async (tx) => {
      await actingAs(tx, by);
      const [revoked] = await tx.query(
        nameRow,
        `update ml_tokens set revoked_at = clock_timestamp(), revoked_by = $2
         where token_id = $1 and revoked_at is null returning principal`,
        [tokenId, by.who],
      );
      if (revoked !== undefined) return revoked;
      throw new NotFoundError(
        `Token ${tokenId} does not exist or is revoked; principals list shows those in force.`,
      );
    });
  }

  /** Ends all that the principal has, approvals that are not used yet among it. @returns how many of these */
  async remove(
    name: string,
    reason: string,
    by: Actor,
  ): Promise<{ principal: string; approvals_ended: number }> {
    requirePlainText("The reason", reason);
    return this.#about(name, by, async (tx, principal) => {
      const values = [principal, by.who];
      await tx.query(
        anyRow,
        `update ml_principals set removed_at = clock_timestamp(), removed_by = $2, remove_reason = $3
         where principal = $1 and removed_at is null`,
        [...values, reason],
      );
      for (const table of ["ml_tokens", "ml_grants"]) {
        await tx.query(
          anyRow,
          `update ${table} set revoked_at = clock_timestamp(), revoked_by = $2 where principal = $1 and revoked_at is null`,
          values,
        );
      }
      const [{ ended } = { ended: 0 }] = await tx.query(
        endedRow,
        `with ended as (update ml_approvals set revoked_at = clock_timestamp(), revoked_by = $2, revoke_reason = $3
           where approver = $1 and used_at is null and revoked_at is null and expires_at > clock_timestamp() returning 1)
         select count(*)::int as ended from ended`,
        [...values, `${principal} was removed: ${reason}`],
      );
      return { principal, approvals_ended: ended };
    });
  }

  async #about<T>(
    name: string,
    by: Actor,
    work: (tx: Transaction, principal: string) => Promise<T>,
  ): Promise<T> {
    return this.#owner.transaction(async (tx) => {
      await actingAs(tx, by);
      return work(tx, await requirePrincipal(tx, name));
    });
  }
}

/** Locks the principal, however its name is spelled. @throws NotFoundError */
export async function requirePrincipal(tx: Transaction, name: string): Promise<string> {
  const [found] = await tx.query(
    nameRow,
    `select principal from ml_principals
     where name_key = ml_name_key($1) and same_as is null and removed_at is null for update`,
    [name],
  );
  if (found !== undefined) return found.principal;
  throw new NotFoundError(`${name} is no principal; principals list shows who is, and enrol makes one.`);
}
