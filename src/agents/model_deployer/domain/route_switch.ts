import { z } from "zod";
import type { ChangeOf } from "./changes.ts";
import { planned } from "./decisions.ts";
import type { DeploymentStatus, Endpoint, WeightSet } from "./entities.ts";
import type { PlannedStep, StepOf } from "./plan.ts";
import type { Verdict } from "./rollout.ts";

export interface RouteSwitch {
  endpoint_name: string;
  /** The route that the plan was made for, and that an undo restores. */
  before: Pick<Endpoint, "generation" | "weights" | "mirror_deployment_id">;
  weights: WeightSet;
  mirror_deployment_id: string | null;
  reason: string;
  /** What a judge saw of the versions on the route, if one did. */
  verdict?: Verdict | null;
}

/** The route of an endpoint that is not open yet. */
export const noRoute: RouteSwitch["before"] = { generation: 0, weights: {}, mirror_deployment_id: null };

/** First what is wanted, in the database; then the router; one atomic set, never a weight at a time. */
export function switchRoute(change: RouteSwitch): PlannedStep[] {
  const { endpoint_name, before, weights, mirror_deployment_id, reason, verdict = null } = change;
  const wanted = before.generation + 1;
  return [
    planned(
      {
        step: "want_route",
        endpoint_name,
        expected_generation: before.generation,
        weights,
        mirror_deployment_id,
        reason,
        ...(verdict === null ? {} : judgedBy(verdict)),
      },
      {
        undo: [
          {
            step: "want_route",
            endpoint_name,
            expected_generation: wanted,
            weights: before.weights,
            mirror_deployment_id: before.mirror_deployment_id,
            reason: `undo: ${reason}`,
          },
          { step: "apply_route", endpoint_name, generation: wanted + 1 },
        ],
      },
    ),
    planned({ step: "apply_route", endpoint_name, generation: wanted }),
  ];
}

/** The verdict as the history keeps it: its numbers by name, and all of it. */
function judgedBy(verdict: Verdict): Pick<StepOf<"want_route">, "metrics" | "evidence"> {
  const { candidate, baseline, e_value } = verdict;
  return {
    metrics: {
      candidate_requests: candidate.requests,
      candidate_errors: candidate.errors,
      baseline_requests: baseline.requests,
      baseline_errors: baseline.errors,
      ...(e_value === null ? {} : { e_value }),
    },
    evidence: { verdict: z.json().parse(verdict) },
  };
}

/** `keepWarmSeconds` goes with `draining` and `rolled_back`. */
export function setStatus(
  deploymentId: string,
  from: DeploymentStatus[],
  to: DeploymentStatus,
  extra: { keepWarmSeconds?: number; rollbackReason?: string } = {},
): ChangeOf<"set_deployment_status"> {
  return {
    change: "set_deployment_status",
    deployment_id: deploymentId,
    from,
    to,
    rollback_reason: extra.rollbackReason ?? null,
    keep_warm_seconds: extra.keepWarmSeconds ?? null,
  };
}
