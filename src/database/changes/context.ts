/** The operation in whose name changes are applied. */
export interface ChangeContext {
  operation_id: string;
  payload_hash: string;
  requested_by: string;
  /** Generation of the plan; null while there is none. An approval is bound to it. */
  generation: number | null;
}
