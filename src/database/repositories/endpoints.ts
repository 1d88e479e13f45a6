import { endpointSchema, type Endpoint } from "../../agents/model_deployer/domain/entities.ts";
import type { Endpoints } from "../../agents/model_deployer/ports/stores/entity_stores.ts";
import type { SqlDatabase } from "../connection/pool.ts";
import { endpointColumns } from "../rows.ts";

export class PostgresEndpoints implements Endpoints {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async get(endpointName: string): Promise<Endpoint | null> {
    const [endpoint] = await this.#database.query(
      endpointSchema,
      `select ${endpointColumns} from ml_endpoints e where e.endpoint_name = $1`,
      [endpointName],
    );
    return endpoint ?? null;
  }

  /** By name. */
  async list(): Promise<Endpoint[]> {
    return this.#database.query(
      endpointSchema,
      `select ${endpointColumns} from ml_endpoints e order by e.endpoint_name`,
    );
  }

  async listMirrored({ after, limit }: { after: string; limit: number }): Promise<Endpoint[]> {
    return this.#database.query(
      endpointSchema,
      `select ${endpointColumns} from ml_endpoints e
       where e.mirror_deployment_id is not null and e.endpoint_name > $1 order by e.endpoint_name limit $2`,
      [after, limit],
    );
  }
}
