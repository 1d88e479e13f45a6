import type { Operation, OperationReader, RecordedStep } from "../../agents/model_deployer/ports.ts";
import type { Database } from "../pool.ts";
import { operationColumns, operationRow, stepRow } from "./operation_rows.ts";

/** An operation that holds no lease counts as worked on for the node's SLA, 30 s, after it was last touched. */
const WITHOUT_LEASE_SECONDS = 30;

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

  /** What waits for an approval waits for a person, and is not listed. */
  async listUnfinished(limit: number): Promise<Operation[]> {
    return this.#database.query(
      operationRow,
      `select ${operationColumns} from ml_operations o
       where finished_at is null and status <> 'awaiting_approval' and case
         when lease_name is null then updated_at < clock_timestamp() - make_interval(secs => $2)
         else not exists (
           select from ml_leases l where l.name = o.lease_name and l.token = o.lease_token
             and not l.released and l.expires_at > clock_timestamp()
         ) end
       order by created_at, operation_id limit $1`,
      [limit, WITHOUT_LEASE_SECONDS],
    );
  }
}
