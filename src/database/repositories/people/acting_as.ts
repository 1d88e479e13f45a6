import type { RecordedOutcomes } from "../../../agents/model_deployer/domain/evidence/late_outcomes.ts";
import type { OutcomeStore } from "../../../agents/model_deployer/ports/evidence/outcome_ports.ts";
import type { Actor } from "../../../agents/model_deployer/domain/access/roles.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { anyRow, type Queries } from "../../connection/transaction.ts";

/** Tells the audit trail for the rest of the transaction who changes what follows, and from where. */
export async function actingAs(tx: Queries, { who, origin }: Actor): Promise<void> {
  await tx.query(anyRow, "select set_config('model_deployer.actor', $1, true)", [
    JSON.stringify({ who, origin }),
  ]);
}

/** One statement in a transaction of its own, whose change the audit trail has as the actor's. */
export async function changedBy(
  database: SqlDatabase,
  actor: Actor,
  sql: string,
  values: readonly unknown[],
): Promise<void> {
  await database.transaction(async (tx) => {
    await actingAs(tx, actor);
    await tx.query(anyRow, sql, values);
  });
}

/** Adds an entry to the audit trail for what no row of a table tells. */
export async function tellAudit(
  queries: Queries,
  actor: Actor,
  [action, subject, outcome]: [action: string, subject: string, outcome: string],
  details: Record<string, unknown>,
): Promise<void> {
  await queries.query(anyRow, "select ml_audit_tell($1::jsonb, $2, $3, $4, $5::jsonb)", [
    JSON.stringify(actor),
    action,
    subject,
    outcome,
    JSON.stringify(details),
  ]);
}

/** Tells the audit trail of outcomes that are new. */
export async function auditOutcomes(
  tx: Queries,
  { by, origin = null, endpoint_name }: Parameters<OutcomeStore["record"]>[1],
  counts: RecordedOutcomes,
): Promise<void> {
  if (counts.recorded + counts.waiting === 0) return;
  await tellAudit(tx, { who: by, origin }, ["outcomes", endpoint_name ?? "any", "told"], { ...counts });
}
