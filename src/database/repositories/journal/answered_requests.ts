import { z } from "zod";
import { ConflictError, IdempotencyKeyReusedError } from "../../../agents/model_deployer/errors.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { anyRow } from "../../connection/transaction.ts";

interface KeyedRequest {
  principal: string;
  request_key: string;
  payload_hash: string;
}

const foundRow = z.strictObject({
  payload_hash: z.string(),
  answer: z.string().nullable(),
  is_claimed_here: z.boolean(),
});

/** After this time whoever began with it is taken for dead. */
const LONGEST_SECONDS = 120;
const KEPT_HOURS = 24;

/** Requests by the key that their caller gave them. */
export class PostgresAnsweredRequests {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /**
   * Claims the request for this caller, or gives the answer that it had before.
   * @throws IdempotencyKeyReusedError for another request under this key, ConflictError while the first one is under way
   */
  async claim({ principal, request_key, payload_hash }: KeyedRequest): Promise<string | null> {
    const [found] = await this.#database.query(
      foundRow,
      `with claimed as (
         insert into ml_answered_requests as r (principal, request_key, payload_hash) values ($1, $2, $3)
         on conflict (principal, request_key) do update set
           payload_hash = excluded.payload_hash, answer = null, claimed_at = clock_timestamp()
           where r.claimed_at < clock_timestamp() - make_interval(hours => ${KEPT_HOURS})
             or r.answer is null and r.payload_hash = excluded.payload_hash
               and r.claimed_at < clock_timestamp() - make_interval(secs => ${LONGEST_SECONDS})
         returning payload_hash, answer
       )
       select payload_hash, answer, true as is_claimed_here from claimed
       union all
       select payload_hash, answer, false from ml_answered_requests
         where principal = $1 and request_key = $2 and not exists (select from claimed)`,
      [principal, request_key, payload_hash],
    );
    if (found?.is_claimed_here === true) return null;
    if (found !== undefined && found.payload_hash !== payload_hash) {
      throw new IdempotencyKeyReusedError(
        `The key ${JSON.stringify(request_key)} came before with another request; use a new one.`,
        { details: { request_key } },
      );
    }
    if (found === undefined || found.answer === null) {
      throw new ConflictError(
        `The request with the key ${JSON.stringify(request_key)} is under way; send it again in a moment.`,
        { details: { request_key } },
      );
    }
    return found.answer;
  }

  async answered(
    { principal, request_key }: Omit<KeyedRequest, "payload_hash">,
    answer: string,
  ): Promise<void> {
    await this.#database.query(
      anyRow,
      "update ml_answered_requests set answer = $3 where principal = $1 and request_key = $2",
      [principal, request_key, answer],
    );
  }

  /** For one that came to nothing: the same request is carried out when it is sent again. */
  async release({ principal, request_key }: Omit<KeyedRequest, "payload_hash">): Promise<void> {
    await this.#database.query(
      anyRow,
      "delete from ml_answered_requests where principal = $1 and request_key = $2 and answer is null",
      [principal, request_key],
    );
  }
}
