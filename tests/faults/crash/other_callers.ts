import type { GivenDeployer } from "../../support/deployer.ts";
import type { Deed } from "./children/protocol.ts";
import { ask } from "./scenario.ts";

/** Requests of other callers to the state that a dead process left. */
export interface Meddling {
  wrong: string[];
  /** Whether one of them carried something out, so that the outcome may differ from that of an undisturbed run. */
  changed: boolean;
}

/** Another request of the same action, told by what it has in place of the first one's. */
const OTHER_BODY: Readonly<Record<string, Record<string, unknown>>> = {
  register: { mlflow_run_id: "run4" },
  promote: { promotion_reason: "for another reason" },
  deploy: { replicas: 3 },
  rollback: { rollback_reason: "for another reason" },
};

/** Whoever comes second may be told this and nothing else. */
export const FAIR = [
  ...["conflict", "approval_required", "invalid_promotion_path", "stage_mismatch", "rollback_failed"],
  ...["production_criteria_not_met", "server_not_ready", "not_found"],
];

/** A rollback goes before whoever is under way, and another run has a lease of its own. */
const WAIT_FOR_NOBODY = ["rollback", "register"];

/** Whoever prepares a deployment holds its operation alone, so that others may go on with the endpoint. */
const SHUTS_OTHERS_OUT = `select name from ml_leases
  where not released and expires_at > clock_timestamp() and name not like 'operation/%'`;

/** Between a death and its resumption, while the dead one's lease still holds. */
export async function callOthers(given: GivenDeployer, deed: Deed): Promise<Meddling> {
  if (deed.does !== "request") return { wrong: [], changed: false };
  const { request } = deed;
  const other = { ...request, ...OTHER_BODY[String(request["deployment_action"])] };
  const wrong: string[] = [];
  const [claimed] = await given.world.sql("select operation_id from ml_operations where request_id = $1", [
    request["request_id"],
  ]);
  if (claimed !== undefined) {
    const { error } = await ask(given, other);
    if (error !== "idempotency_key_reused")
      wrong.push(`the same key with another body should be idempotency_key_reused, but is ${String(error)}`);
  }
  const [held] = await given.world.sql(SHUTS_OTHERS_OUT);
  const { error } = await ask(given, { ...other, request_id: "of-the-second-caller" });
  if (error !== null && !FAIR.includes(error)) wrong.push(`a second caller is told ${error}`);
  if (error === null && held !== undefined && !WAIT_FOR_NOBODY.includes(String(request["deployment_action"])))
    wrong.push(`a second caller won while the dead process held ${String(held["name"])}`);
  return { wrong, changed: error === null };
}
