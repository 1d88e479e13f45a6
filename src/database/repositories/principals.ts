import { createHash } from "node:crypto";
import { z } from "zod";
import { InvalidRequestError, NotAuthenticatedError } from "../../agents/model_deployer/errors.ts";
import type { Principals } from "../../agents/model_deployer/store_ports.ts";
import { anyRow, type Database, type Queries } from "../pool.ts";

/** A plain hash is enough for a random token, and too little for a password: so a short one is refused. */
const MINIMUM_TOKEN_LENGTH = 16;

const principalRow = z.strictObject({ principal: z.string() });

export class PostgresPrincipals implements Principals {
  readonly #database: Database;
  readonly #owner: Database;

  /** `owner` may write what the deployer's own role only reads. */
  constructor(database: Database, owner: Database) {
    this.#database = database;
    this.#owner = owner;
  }

  async authenticate(token: string): Promise<{ principal: string }> {
    return authenticateWith(this.#database, token);
  }

  /**
   * A principal that is enrolled again has the new token only.
   * @throws InvalidRequestError for a token under 16 characters, ConflictError for one that is another principal's,
   * ServiceRefusedError unless DATABASE_URL names the tables' owner
   */
  async enrol(principal: string, token: string): Promise<void> {
    if (token.length < MINIMUM_TOKEN_LENGTH) {
      throw new InvalidRequestError(
        `The token for ${principal} has ${token.length} characters; use a random one of at least ${MINIMUM_TOKEN_LENGTH}`,
      );
    }
    await this.#owner.query(
      anyRow,
      `insert into ml_principals (principal, token_sha256) values ($1, $2)
       on conflict (principal) do update set token_sha256 = excluded.token_sha256, enrolled_at = clock_timestamp()`,
      [principal, hashOf(token)],
    );
  }
}

/** @throws NotAuthenticatedError */
export async function authenticateWith(queries: Queries, token: string): Promise<{ principal: string }> {
  const [found] = await queries.query(
    principalRow,
    "select principal from ml_principals where token_sha256 = $1",
    [hashOf(token)],
  );
  if (found === undefined) {
    throw new NotAuthenticatedError("No principal belongs to this token; enrol one, or check the token");
  }
  return found;
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}
