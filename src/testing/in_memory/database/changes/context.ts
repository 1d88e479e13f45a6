import type { Tables } from "../tables.ts";

/** The operation in whose name changes are applied, and where. */
export interface ChangeContext {
  tables: Tables;
  operation_id: string;
  payload_hash: string;
  requested_by: string;
  /** Generation of the plan; null while there is none. An approval is bound to it. */
  generation: number | null;
}
