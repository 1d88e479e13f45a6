import { createHash, randomUUID } from "node:crypto";
import { z } from "zod";
import { type Actor, USUAL_ROLES } from "../../../agents/model_deployer/domain/access/roles.ts";
import {
  ConflictError,
  InvalidRequestError,
  NotAuthenticatedError,
} from "../../../agents/model_deployer/errors.ts";
import type { Enrolment, Principals } from "../../../agents/model_deployer/ports/stores/approval_stores.ts";
import { requirePlainName, requirePlainText } from "../../connection/plain_input.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { actingAs } from "./acting_as.ts";
import { anyRow, type Queries, type Transaction } from "../../connection/transaction.ts";

const authenticatedRow = z.strictObject({ principal: z.string(), fate: z.string().nullable() });

const tokenRow = z.strictObject({ token_id: z.string() });

/** A plain hash is enough for a random token, and too little for a password: so a short one is refused. */
const MINIMUM_TOKEN_LENGTH = 16;
/** Names by which the deployer and its parts are told of themselves, spaces, underscores and dashes being the same. */
const OWN_NAMES = [
  "model deployer",
  "the deployer",
  "operator",
  "worker",
  "a worker",
  "the judge",
  "example",
];

const principalRow = z.strictObject({ principal: z.string() });
export const NOBODY: Actor = { who: "operator", origin: null };

export class PostgresPrincipals implements Principals {
  readonly #database: SqlDatabase;
  readonly #owner: SqlDatabase;

  /** `owner` may write what the deployer's own role only reads. */
  constructor(database: SqlDatabase, owner: SqlDatabase) {
    this.#database = database;
    this.#owner = owner;
  }

  async authenticate(token: string): Promise<{ principal: string }> {
    const found = await authenticateWith(this.#database, token);
    await this.#database.query(
      anyRow,
      `update ml_tokens set last_used_at = clock_timestamp() where token_sha256 = $1
         and (last_used_at is null or last_used_at < clock_timestamp() - interval '1 minute')`,
      [hashOf(token)],
    );
    return found;
  }

  /**
   * A principal that is enrolled again has the new token only, unless it is to be beside the others; one that was
   * removed is back, without the roles it had.
   * @throws InvalidRequestError for a token under 16 characters, or a name that may look like another one, ConflictError
   * for one that is another principal's or was revoked, ServiceRefusedError unless DATABASE_URL names the tables' owner
   */
  async enrol(name: string, token: string, options: Enrolment = {}): Promise<{ principal: string }> {
    const principal = name.trim();
    requirePlainName("The principal's name", principal);
    if (principal === "")
      throw new InvalidRequestError("The principal's name is empty; write who it is, such as ana");
    if (isOwnName(principal)) {
      throw new InvalidRequestError(
        `${principal} is the deployer's own name for itself, a part of it or requests without a token; use another`,
      );
    }
    requireLongToken(principal, token);
    requirePlainText("The token's label", options.label ?? "");
    const by = options.by ?? NOBODY;
    return this.#owner.transaction(async (tx) => {
      await actingAs(tx, by);
      const known = await knownOrNew(tx, principal, options, by);
      if (options.beside !== true) await revokeOthers(tx, known, token, by);
      await addToken(tx, { ...options, principal: known, kind: "token", token, by });
      for (const role of await rolesFor(tx, known, options)) {
        await grantRole(tx, { principal: known, role, experiment_id: options.experiment_id ?? null, by });
      }
      return { principal: known };
    });
  }
}

/** Whether who reads the history would take the name for the deployer's. */
export const isOwnName = (name: string): boolean =>
  OWN_NAMES.includes(name.toLowerCase().replaceAll(/[\s_-]+/g, " "));

async function knownOrNew(
  tx: Transaction,
  principal: string,
  { kind }: Enrolment,
  by: Actor,
): Promise<string> {
  const [found] = await tx.query(
    principalRow,
    `update ml_principals set removed_at = null, removed_by = null, remove_reason = null, kind = coalesce($2, kind)
     where name_key = ml_name_key($1) and same_as is null returning principal`,
    [principal, kind ?? null],
  );
  if (found !== undefined) return found.principal;
  await tx.query(
    anyRow,
    `insert into ml_principals (principal, name_key, kind, enrolled_by) values ($1, ml_name_key($1), $2, $3)`,
    [principal, kind ?? "person", by.who],
  );
  return principal;
}

const roleRow = z.strictObject({ role: z.string() });

/** A principal that has roles keeps them where none are named. */
async function rolesFor(
  tx: Transaction,
  principal: string,
  { roles }: Enrolment,
): Promise<readonly string[]> {
  if (roles !== undefined) return roles;
  const has = await tx.query(
    roleRow,
    "select role from ml_grants where principal = $1 and revoked_at is null limit 1",
    [principal],
  );
  return has.length > 0 ? [] : USUAL_ROLES;
}

async function revokeOthers(tx: Transaction, principal: string, token: string, by: Actor): Promise<void> {
  await tx.query(
    anyRow,
    `update ml_tokens set revoked_at = clock_timestamp(), revoked_by = $3
     where principal = $1 and token_sha256 <> $2 and kind = 'token' and revoked_at is null`,
    [principal, hashOf(token), by.who],
  );
}

export interface NewToken {
  principal: string;
  kind: "token" | "session";
  token: string;
  label?: string;
  expires_at?: string | null;
  by: Actor;
}

/** The same token again changes nothing. @throws ConflictError for one that is another's or was revoked */
export async function addToken(tx: Queries, { principal, kind, token, ...given }: NewToken): Promise<string> {
  const [kept] = await tx.query(
    tokenRow,
    `insert into ml_tokens as t (token_id, principal, kind, token_sha256, label, created_by, expires_at)
     values ($1, $2, $3, $4, $5, $6, $7)
     on conflict (token_sha256) do update set last_used_at = t.last_used_at
       where t.principal = excluded.principal and t.revoked_at is null
     returning token_id`,
    [
      `token_${randomUUID()}`,
      principal,
      kind,
      hashOf(token),
      given.label ?? "enrolled",
      given.by.who,
      given.expires_at ?? null,
    ],
  );
  if (kept !== undefined) return kept.token_id;
  throw new ConflictError(`The token for ${principal} was another's or is revoked; make a new random one`, {
    retryable: false,
  });
}

export async function grantRole(
  tx: Queries,
  {
    principal,
    role,
    experiment_id,
    by,
  }: { principal: string; role: string; experiment_id: string | null; by: Actor },
): Promise<void> {
  await tx.query(
    anyRow,
    `insert into ml_grants (principal, role, experiment_id, granted_by) values ($1, $2, $3, $4)
     on conflict (principal, role, coalesce(experiment_id, '')) where revoked_at is null do nothing`,
    [principal, role, experiment_id, by.who],
  );
}

/** @throws NotAuthenticatedError that says whether the token is unknown, expired or revoked */
export async function authenticateWith(queries: Queries, token: string): Promise<{ principal: string }> {
  const [found] = await queries.query(
    authenticatedRow,
    `select t.principal, case when p.removed_at is not null then 'its principal was removed'
         when t.revoked_at is not null then 'it was revoked at ' || t.revoked_at
         when t.expires_at <= clock_timestamp() then 'it expired at ' || t.expires_at end as fate
     from ml_tokens t join ml_principals p using (principal) where t.token_sha256 = $1`,
    [hashOf(token)],
  );
  if (found === undefined) {
    throw new NotAuthenticatedError("No principal belongs to this token; enrol one, or check the token");
  }
  if (found.fate === null) return { principal: found.principal };
  throw new NotAuthenticatedError(
    `The token of ${found.principal} is not in force: ${found.fate}; an administrator makes another: model-deployer principals token`,
  );
}

export function requireLongToken(principal: string, token: string): void {
  if (token.length >= MINIMUM_TOKEN_LENGTH) return;
  throw new InvalidRequestError(
    `The token for ${principal} has ${token.length} characters; use a random one of at least ${MINIMUM_TOKEN_LENGTH}`,
  );
}

export function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
