import type {
  Operation,
  OperationReader,
  RecordedStep,
} from "../../../../agents/model_deployer/store_ports.ts";
import { inOrder } from "../order.ts";
import type { OperationRow, Tables } from "../tables.ts";

export class InMemoryOperationReader implements OperationReader {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  async get(operationId: string): Promise<Operation | null> {
    const row = this.#tables.operations.get(operationId);
    return row === null ? null : publicOperation(row);
  }

  async steps(operationId: string): Promise<RecordedStep[]> {
    const rows = this.#tables.steps.where((row) => row.operation_id === operationId);
    return rows.sort((a, b) => a.index - b.index).map(({ index, step, result }) => ({ index, step, result }));
  }

  async takeUnfinished(limit: number): Promise<Operation[]> {
    const { operations, clock } = this.#tables;
    const left = operations.where(
      (row) => (row.status === "planned" || row.status === "carrying_out") && !this.#isHeld(row),
    );
    const taken = inOrder(left, (row) => row.updated_at).slice(0, limit);
    for (const row of taken) operations.put({ ...row, updated_at: clock.now() });
    return inOrder(taken, (row) => row.created_at).map(publicOperation);
  }

  #isHeld({ lease_name, lease_token }: OperationRow): boolean {
    const lease = lease_name === null ? null : this.#tables.leases.get(lease_name);
    if (lease === null || lease.token !== lease_token || lease.released) return false;
    return !this.#tables.clock.hasPassed(lease.expires_at);
  }
}

export function publicOperation({
  request_id: _request,
  lease_name: _name,
  lease_token: _token,
  updated_at: _updated,
  finished_at: _finished,
  ...operation
}: OperationRow): Operation {
  return operation;
}
