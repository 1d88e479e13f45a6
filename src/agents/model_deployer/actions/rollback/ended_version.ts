import type { NextStep } from "../../../base/next_step.ts";
import type { ModelVersion } from "../../domain/entities.ts";
import { isRolloutOpen, type Rollout } from "../../domain/traffic/rollout.ts";
import { ask } from "../../planning/ways_out/next_steps.ts";
import { endingsOf } from "../../planning/ways_out/open_rollout.ts";
import type { WaysBack } from "../../domain/traffic/ways_back.ts";
import { backTo } from "./other_ways.ts";

/** All that is known of a version at the end of its lifecycle; read for no other. */
export interface EndedFacts {
  /** Of its production endpoint; null where it has none. */
  ways: WaysBack | null;
  /** The last rollout of the version; null where it had none. */
  last_rollout: Rollout | null;
}

export const notEnded: EndedFacts = { ways: null, last_rollout: null };

/**
 * Each way that a version at its end has: its rollout begins anew, it comes back by name, or its run is registered again.
 * @param except a way that has been refused just now
 */
export function waysOfEnded(
  version: ModelVersion,
  { ways, last_rollout: rollout }: EndedFacts,
  reason: string,
  except: "retry" | null = null,
): NextStep[] {
  const { model_version_id: id, experiment_id, mlflow_run_id, model_name } = version;
  const again = {
    deployment_action: "register",
    experiment_id,
    mlflow_run_id,
    mlflow_model_name: model_name,
  };
  const register = ask(again, `registers a new version of the files of ${id}, linked to it`);
  const served = ways?.served.find((one) => one.version.model_version_id === id);
  const serves = (ways?.endpoint.weights[served?.deployment.deployment_id ?? ""] ?? 0) > 0;
  if (serves && ways !== null) return [...restoredBy(ways, reason), register];
  const isRetried =
    except !== "retry" && rollout !== null && !isRolloutOpen(rollout) && rollout.status !== "completed";
  const retry = { deployment_action: "retry", rollout_id: rollout?.rollout_id, rollout_reason: reason };
  return [
    ...(isRetried ? [ask(retry, `begins the rollout of ${id} anew, with an approval`)] : []),
    ...(served === undefined || ways === null ? [] : [backTo(served, { rollback_reason: reason }, ways)]),
    register,
  ];
}

/**
 * Archiving a newer version that was promoted and never deployed puts the serving one at production again; so does the end
 * of a rollout that takes its traffic.
 */
function restoredBy({ production, open_rollout: open }: WaysBack, reason: string): NextStep[] {
  if (open !== null) return endingsOf(open, reason).filter(({ action }) => action !== "promote_now");
  const holder = production?.model_version_id;
  if (holder === undefined) return [];
  const archive = { deployment_action: "promote", model_version_id: holder, target_stage: "archived" };
  const why = `takes ${holder} out of production, which was never deployed; what serves is there again`;
  return [ask({ ...archive, promotion_reason: reason }, why, "person")];
}
