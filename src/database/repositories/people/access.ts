import { z } from "zod";
import { type Grant, grantSchema, type Origin } from "../../../agents/model_deployer/domain/access/roles.ts";
import type { Access } from "../../../agents/model_deployer/ports/stores/approval_stores.ts";
import { tellAudit } from "./acting_as.ts";
import type { SqlDatabase } from "../../connection/pool.ts";

const personRow = z.strictObject({ person: z.string().nullable() });

export class PostgresAccess implements Access {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async grantsOf(principal: string): Promise<Grant[]> {
    return this.#database.query(
      grantSchema,
      `select g.role, g.experiment_id from ml_grants g join ml_principals p using (principal)
       where g.principal = $1 and g.revoked_at is null and p.removed_at is null`,
      [principal],
    );
  }

  async personOf(requested_by: string, origin: Origin | null): Promise<string | null> {
    const [found] = await this.#database.query(personRow, "select ml_person_of($1, $2::jsonb) as person", [
      requested_by,
      origin === null ? null : JSON.stringify(origin),
    ]);
    return found?.person ?? null;
  }

  async refused({ who, right, subject, origin }: Parameters<Access["refused"]>[0]): Promise<void> {
    await tellAudit(this.#database, { who, origin }, ["right", subject, "refused"], { right });
  }
}
