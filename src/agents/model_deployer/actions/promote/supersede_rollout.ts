import { planRollback } from "../rollback/decide.ts";
import { type RollbackFacts } from "../rollback/facts.ts";
import type { ModelVersion } from "../../domain/entities.ts";
import { judgedNow } from "../../judge/counts/live_figures.ts";
import type { Plan } from "../../domain/plan.ts";
import type { DecisionContext } from "../../domain/requests.ts";

type Ending = Pick<Plan, "intent" | "steps" | "on_success" | "on_failure" | "notes" | "names">;

/**
 * Ends an open rollout because a newer version goes to production: traffic goes back to the baseline, which serves
 * until the newer version is deployed. The baseline does not return to the stage production, which the newer version
 * takes. Null when the way back is not known.
 */
export function supersedeRollout(
  facts: RollbackFacts,
  by: ModelVersion,
  context: DecisionContext,
): Ending | null {
  const { current, endpoint, previous, previous_version: previousVersion, open_rollout: rollout } = facts;
  const candidateVersion = facts.current_version;
  const isKnown = current !== null && endpoint !== null && previous !== null && rollout !== null;
  if (!isKnown || previousVersion === null || candidateVersion === null) return null;
  const currentVersion: ModelVersion = { ...candidateVersion, stage: "archived" };
  const { previous_server: server, live } = facts;
  const reversal = { current, currentVersion, endpoint, previous, previousVersion, rollout, server, live };
  const reason = `superseded by ${by.model_version_id}`;
  const decision = planRollback(reversal, reason, context, judgedNow(rollout, endpoint, live), "aborted");
  if (decision.decision === "refusal") return null;
  const { intent, steps, on_success, on_failure, names } = decision.plan;
  const note = `${rollout.rollout_id} of ${current.bento_tag} ends, and ${previous.bento_tag} serves until the newer version is deployed.`;
  return { intent, steps, on_success, on_failure, notes: [note], names };
}
