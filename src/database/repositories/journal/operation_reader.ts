import type {
  Operation,
  OperationReader,
  RecordedStep,
  SeenOperation,
} from "../../../agents/model_deployer/ports/stores/operation_stores.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { STILL_HOLDS } from "./approvals.ts";
import { operationColumns, operationRow, seenRow, stepRow, unfinishedRow } from "./operation_rows.ts";

export class PostgresOperationReader implements OperationReader {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
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

  async see(operationId: string): Promise<SeenOperation | null> {
    const [row] = await this.#database.query(
      seenRow,
      `select clock_timestamp() as now, ${operationColumns} from ml_operations where operation_id = $1`,
      [operationId],
    );
    return row ?? null;
  }

  async steps(operationId: string): Promise<RecordedStep[]> {
    return this.#database.query(
      stepRow,
      `select step_index as index, step, result from ml_operation_steps where operation_id = $1 order by step_index`,
      [operationId],
    );
  }

  /**
   * Operations that have begun and that nobody works on: their lease is released or has run out. One that never began
   * had no effect outside.
   */
  async takeUnfinished(limit: number): Promise<Pick<Operation, "operation_id" | "status">[]> {
    return this.#database.query(
      // A plan that a newer release wrote is read by nobody here, so that it holds up none of the others.
      unfinishedRow,
      // Apart from the update, which may read a subquery again for each row and then takes more than were asked for.
      `with due as (
         select o.operation_id from ml_operations o
         where o.status in ('preparing', 'planned', 'carrying_out') and not exists (
           select from ml_leases l where l.name = o.lease_name and l.token = o.lease_token
             and not l.released and l.expires_at > clock_timestamp()
         )
         order by o.updated_at, o.operation_id limit $1 for update skip locked
       ), taken as (
         update ml_operations set updated_at = clock_timestamp()
         where operation_id in (select operation_id from due) returning operation_id, status, created_at
       )
       select operation_id, status from taken order by created_at, operation_id`,
      [limit],
    );
  }

  async listExpired(limit: number): Promise<Operation[]> {
    return this.#database.query(
      operationRow,
      `select ${operationColumns} from ml_operations o
       where status = 'awaiting_approval' and waits_until <= clock_timestamp() and not exists (
         select from ml_approvals approval where approval.operation_id = o.operation_id and ${STILL_HOLDS}
       ) order by waits_until, operation_id limit $1`,
      [limit],
    );
  }
}
