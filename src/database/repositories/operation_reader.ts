import type { Operation, OperationReader, RecordedStep } from "../../agents/model_deployer/store_ports.ts";
import type { Database } from "../pool.ts";
import { operationColumns, operationRow, stepRow } from "./operation_rows.ts";

export class PostgresOperationReader implements OperationReader {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async get(operationId: string): Promise<Operation | null> {
    const [operation] = await this.#database.query(
      operationRow,
      `select ${operationColumns} from ml_operations where operation_id = $1`,
      [operationId],
    );
    return operation ?? null;
  }

  async steps(operationId: string): Promise<RecordedStep[]> {
    return this.#database.query(
      stepRow,
      `select step_index as index, step, result from ml_operation_steps where operation_id = $1 order by step_index`,
      [operationId],
    );
  }

  /** What has begun and is left: its lease is released or has run out. What never began did nothing outside. */
  async takeUnfinished(limit: number): Promise<Operation[]> {
    return this.#database.query(
      operationRow,
      `with taken as (
         update ml_operations set updated_at = clock_timestamp() where operation_id in (
           select o.operation_id from ml_operations o
           where o.status in ('planned', 'carrying_out') and not exists (
             select from ml_leases l where l.name = o.lease_name and l.token = o.lease_token
               and not l.released and l.expires_at > clock_timestamp()
           )
           order by o.updated_at, o.operation_id limit $1 for update skip locked
         ) returning ${operationColumns}
       )
       select ${operationColumns} from taken order by created_at, operation_id`,
      [limit],
    );
  }
}
