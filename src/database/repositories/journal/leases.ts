import { z } from "zod";
import { ConflictError } from "../../../agents/model_deployer/errors.ts";
import type { Lease, Leases } from "../../../agents/model_deployer/ports/stores/operation_stores.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { anyRow, type Queries } from "../../connection/transaction.ts";

const tokenRow = z.strictObject({ token: z.int() });
const leaseRow = z.strictObject({
  holder: z.string(),
  since: z.string(),
  expires_at: z.string(),
  token: z.int(),
  released: z.boolean(),
});

/** Leases with a fencing token, by the database's clock. `holder` names the process instance, never a request. */
export class PostgresLeases implements Leases {
  readonly #database: SqlDatabase;
  readonly #holder: string;

  constructor(database: SqlDatabase, holder: string) {
    this.#database = database;
    this.#holder = holder;
  }

  async acquire(
    name: string,
    options: { ttl_seconds: number; preempt: boolean; background?: boolean },
  ): Promise<Lease> {
    const [granted] = await this.#database.query(
      tokenRow,
      `insert into ml_leases as l (name, holder, token, acquired_at, expires_at, background)
       values ($1, $2, 1, clock_timestamp(), clock_timestamp() + make_interval(secs => $3), $5)
       on conflict (name) do update set holder = excluded.holder, token = l.token + 1, released = false,
         background = excluded.background,
         acquired_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => $3)
       where l.released or l.expires_at <= clock_timestamp() or $4 or (l.background and not $5)
       returning token`,
      [name, this.#holder, options.ttl_seconds, options.preempt, options.background ?? false],
    );
    if (granted === undefined) throw await heldBySomeone(this.#database, name);
    return { name, holder: this.#holder, token: granted.token };
  }

  async renew(lease: Lease, options: { ttl_seconds: number }): Promise<void> {
    const renewed = await this.#database.query(
      tokenRow,
      `update ml_leases set expires_at = clock_timestamp() + make_interval(secs => $3)
       where name = $1 and token = $2 and not released returning token`,
      [lease.name, lease.token, options.ttl_seconds],
    );
    if (renewed.length === 0) throw await heldBySomeone(this.#database, lease.name, lease);
  }

  async release(lease: Lease): Promise<void> {
    await releaseLease(this.#database, lease);
  }
}

export async function releaseLease(queries: Queries, { name, token }: Lease): Promise<void> {
  await queries.query(anyRow, "update ml_leases set released = true where name = $1 and token = $2", [
    name,
    token,
  ]);
}

/**
 * Locks the lease's row until the transaction ends, so that nobody is granted the lease before. A lease past its time
 * that nobody else was granted still counts, for the token alone decides who may write.
 * @throws ConflictError when the lease was released or granted again since
 */
export async function requireNewest(tx: Queries, lease: Lease): Promise<void> {
  const [found] = await tx.query(
    tokenRow,
    "select token from ml_leases where name = $1 and token = $2 and not released for share",
    [lease.name, lease.token],
  );
  if (found === undefined) throw await heldBySomeone(tx, lease.name, lease);
}

async function heldBySomeone(queries: Queries, name: string, expected?: Lease): Promise<ConflictError> {
  const [found] = await queries.query(
    leaseRow,
    "select holder, acquired_at as since, expires_at, token, released from ml_leases where name = $1",
    [name],
  );
  const who =
    found === undefined || found.released
      ? "nobody holds it any more"
      : `${found.holder} holds it since ${found.since}, at most until ${found.expires_at}`;
  const message =
    expected === undefined
      ? `${name} is in use: ${who}`
      : `Lease ${expected.token} of ${name} is over: ${who}`;
  return new ConflictError(`${message}; try again later`, {
    details: { lease: name, ...(expected && { expected }), found: found ?? null },
  });
}
