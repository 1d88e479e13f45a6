import { z } from "zod";
import { type ApiKey, apiKeySchema } from "../../agents/model_deployer/domain/access/api_key.ts";
import {
  type Ingress,
  ingressPolicySchema,
  OPEN_INGRESS,
  publicKeySchema,
} from "../../agents/model_deployer/domain/access/ingress_policy.ts";
import { NotFoundError } from "../../agents/model_deployer/errors.ts";
import type { IngressPolicies } from "../../agents/model_deployer/ports/ingress_ports.ts";
import { requirePlainName, requirePlainText } from "../connection/plain_input.ts";
import type { SqlDatabase } from "../connection/pool.ts";
import { anyRow } from "../connection/transaction.ts";
import { json } from "../rows.ts";
import { actingAs, changedBy } from "./people/acting_as.ts";

const wantedSchema = z.strictObject({
  revision: z.int(),
  policy: ingressPolicySchema.nullable(),
  keys: z.array(z.strictObject({ key_id: z.string(), public_key: publicKeySchema })),
});

/**
 * Each count only rises, and so does their sum: policies, keys, and keys that are revoked or over. A key that is over
 * counts by the database's clock.
 */
const WANTED = `with own as (
    select key_id, public_key, made_at, revoked_at is not null or expires_at <= clock_timestamp() as is_over
    from ml_api_keys where endpoint_name = $1
  )
  select (select count(*) from ml_ingress_policies where endpoint_name = $1)
      + (select count(*) from own) + (select count(*) from own where is_over) as revision,
    (select policy from ml_ingress_policies where endpoint_name = $1 order by sequence desc limit 1) as policy,
    coalesce((select jsonb_agg(jsonb_build_object('key_id', key_id, 'public_key', public_key) order by made_at, key_id)
      from own where not is_over), '[]') as keys`;

const keyColumns = Object.keys(apiKeySchema.shape).join(", ");

export class PostgresIngressPolicies implements IngressPolicies {
  readonly #database: SqlDatabase;
  readonly #owner: SqlDatabase;

  /** `owner` may write what the deployer's own role only reads. */
  constructor(database: SqlDatabase, owner: SqlDatabase) {
    this.#database = database;
    this.#owner = owner;
  }

  async wanted(endpointName: string): Promise<Ingress> {
    const [found] = await this.#database.query(wantedSchema, WANTED, [endpointName]);
    const { revision = 0, policy = null, keys = [] } = found ?? {};
    return { endpoint_name: endpointName, revision, policy: policy ?? OPEN_INGRESS, keys };
  }

  async set(
    endpoint: { endpoint_name: string; experiment_id: string },
    policy: Ingress["policy"],
    { reason, by }: Parameters<IngressPolicies["set"]>[2],
  ): Promise<void> {
    requirePlainText("the reason", reason);
    await changedBy(
      this.#owner,
      by,
      `insert into ml_ingress_policies (endpoint_name, experiment_id, policy, reason, set_by)
       values ($1, $2, $3, $4, $5)`,
      [endpoint.endpoint_name, endpoint.experiment_id, json(policy), reason, by.who],
    );
  }

  async keys(endpointName: string): Promise<ApiKey[]> {
    return this.#database.query(
      apiKeySchema,
      `select ${keyColumns} from ml_api_keys where endpoint_name = $1 order by made_at, key_id`,
      [endpointName],
    );
  }

  async addKey(key: Parameters<IngressPolicies["addKey"]>[0], by: Parameters<IngressPolicies["addKey"]>[1]) {
    requirePlainName("a key's name", key.key_name);
    await changedBy(
      this.#owner,
      by,
      `insert into ml_api_keys (key_id, endpoint_name, experiment_id, key_name, public_key, expires_at, made_by)
       values ($1, $2, $3, $4, $5, $6, $7)`,
      [
        key.key_id,
        key.endpoint_name,
        key.experiment_id,
        key.key_name,
        json(key.public_key),
        key.expires_at,
        by.who,
      ],
    );
  }

  async revokeKey(
    endpointName: string,
    keyId: string,
    by: Parameters<IngressPolicies["revokeKey"]>[2],
  ): Promise<void> {
    await this.#owner.transaction(async (tx) => {
      await actingAs(tx, by);
      const revoked = await tx.query(
        anyRow,
        `update ml_api_keys set revoked_at = clock_timestamp(), revoked_by = $3
         where endpoint_name = $1 and key_id = $2 and revoked_at is null returning key_id`,
        [endpointName, keyId, by.who],
      );
      if (revoked.length > 0) return;
      throw new NotFoundError(
        `Endpoint ${endpointName} has no key ${JSON.stringify(keyId)} in force: \`model-deployer endpoints show ${endpointName}\` names those it has.`,
        { details: { endpoint_name: endpointName, key_id: keyId } },
      );
    });
  }
}
