import { z } from "zod";
import type { SqlDatabase } from "../../connection/pool.ts";

const linkRow = z.strictObject({
  sequence: z.int(),
  /** One line of JSON, as it was hashed. */
  entry: z.string(),
  previous: z.string(),
  hash: z.string(),
});
/** One entry of the trail with its place in the chain. */
export type AuditLink = z.infer<typeof linkRow>;

const headRow = z.strictObject({ sequence: z.int(), hash: z.string() });

/** Every act that changed anything, with who did it and from where; no entry is ever changed. */
export class PostgresAuditTrail {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** In their order, those after that one. */
  async after(sequence: number, limit: number): Promise<AuditLink[]> {
    return this.#database.query(
      linkRow,
      "select sequence, entry, previous, hash from ml_audit where sequence > $1 order by sequence limit $2",
      [sequence, limit],
    );
  }

  /** The newest first; `who` and `subject` as the entries have them. */
  async newest(options: { limit: number; who: string | null; subject: string | null }): Promise<AuditLink[]> {
    return this.#database.query(
      linkRow,
      `select sequence, entry, previous, hash from ml_audit
       where ($2::text is null or entry::jsonb ->> 'who' = $2) and ($3::text is null or entry::jsonb ->> 'subject' = $3)
       order by sequence desc limit $1`,
      [options.limit, options.who, options.subject],
    );
  }

  /** The end of the chain; null while it is empty. */
  async head(): Promise<{ sequence: number; hash: string } | null> {
    const [head] = await this.#database.query(headRow, "select sequence, hash from ml_audit_head");
    return head ?? null;
  }
}
