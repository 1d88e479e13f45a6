import type { Plan } from "../domain/plan.ts";
import type { Rollout } from "../domain/traffic/rollout.ts";

/** A rollout's state as evidence for whoever approves its end. */
export function rolloutEvidence({ rollout_id, status, verdict }: Rollout): Plan["evidence"][string] {
  const seen =
    verdict === null ? null : { outcome: verdict.outcome, reason: verdict.reason, e_value: verdict.e_value };
  return { rollout_id, status, verdict: seen };
}
