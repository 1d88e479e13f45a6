import type { Plan } from "./plan.ts";
import type { Rollout } from "./rollout.ts";

/** What is known of a rollout by whoever approves what becomes of it. */
export function rolloutEvidence({ rollout_id, status, verdict }: Rollout): Plan["evidence"][string] {
  const seen =
    verdict === null ? null : { outcome: verdict.outcome, reason: verdict.reason, e_value: verdict.e_value };
  return { rollout_id, status, verdict: seen };
}
