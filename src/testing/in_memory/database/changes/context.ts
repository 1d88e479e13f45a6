import type { Tables } from "../tables.ts";

/** The operation in whose name changes are applied, and where; a reconciler's repair belongs to none. */
export interface ChangeContext {
  tables: Tables;
  operation_id: string | null;
  payload_hash: string | null;
  requested_by: string;
  /** Generation of the plan; null while there is none. An approval is bound to it. */
  generation: number | null;
}
