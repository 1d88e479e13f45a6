import { z } from "zod";
import type { Actor } from "../../../agents/model_deployer/domain/access/roles.ts";
import { ConflictError, NotFoundError } from "../../../agents/model_deployer/errors.ts";
import { actingAs } from "./acting_as.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { anyRow } from "../../connection/transaction.ts";
import { requirePrincipal } from "./principal_administration.ts";

/** An operating system's user (`os`, and `ana` or `ana@host`), or an issuer's subject. */
export interface Login {
  provider: string;
  subject: string;
}

const nameRow = z.strictObject({ principal: z.string() });

/** The logins that a person's requests may come from. */
export class PostgresLogins {
  readonly #owner: SqlDatabase;

  constructor(owner: SqlDatabase) {
    this.#owner = owner;
  }

  /** The same again changes nothing. @throws NotFoundError | ConflictError for a login that is somebody else's */
  async link(name: string, { provider, subject }: Login, by: Actor): Promise<{ principal: string }> {
    return this.#owner.transaction(async (tx) => {
      await actingAs(tx, by);
      const principal = await requirePrincipal(tx, name);
      await tx.query(
        anyRow,
        `insert into ml_logins (provider, subject, principal, linked_by) values ($1, $2, $3, $4)
         on conflict (provider, subject) where unlinked_at is null do nothing`,
        [provider, subject, principal, by.who],
      );
      const [owner] = await tx.query(
        nameRow,
        "select principal from ml_logins where provider = $1 and subject = $2 and unlinked_at is null",
        [provider, subject],
      );
      if (owner === undefined || owner.principal === principal) return { principal };
      throw new ConflictError(
        `${subject} of ${provider} is ${owner.principal}'s; principals unlink it there first.`,
        { retryable: false },
      );
    });
  }

  /** @throws NotFoundError */
  async unlink({ provider, subject }: Login, by: Actor): Promise<{ principal: string }> {
    return this.#owner.transaction(async (tx) => {
      await actingAs(tx, by);
      const [ended] = await tx.query(
        nameRow,
        `update ml_logins set unlinked_at = clock_timestamp(), unlinked_by = $3
         where provider = $1 and subject = $2 and unlinked_at is null returning principal`,
        [provider, subject, by.who],
      );
      if (ended !== undefined) return ended;
      throw new NotFoundError(`${subject} of ${provider} is nobody's login; principals list shows them.`);
    });
  }
}
