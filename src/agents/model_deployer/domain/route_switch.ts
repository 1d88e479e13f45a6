import { z } from "zod";
import type { ChangeOf } from "./changes.ts";
import { planned } from "./decisions.ts";
import type { DeploymentStatus, Endpoint, WeightSet } from "./entities.ts";
import type { PlannedStep, StepOf } from "./plan.ts";
import type { Moment } from "./live_figures.ts";
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
  /** What the versions had answered when it was decided. */
  moment?: Moment;
}

/** The route of an endpoint that is not open yet. */
export const noRoute: RouteSwitch["before"] = { generation: 0, weights: {}, mirror_deployment_id: null };

/** First what is wanted, in the database; then the router; one atomic set, never a weight at a time. */
export function switchRoute(change: RouteSwitch): PlannedStep[] {
  const { endpoint_name, before, weights, mirror_deployment_id, reason } = change;
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
        ...decidedBy(change),
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

/** What the history keeps of it: figures by name, and the evidence behind them. */
function decidedBy({
  verdict = null,
  moment,
}: RouteSwitch): Pick<StepOf<"want_route">, "metrics" | "evidence"> {
  const judged = verdict === null ? {} : { verdict: z.json().parse(verdict) };
  if (moment === undefined) return verdict === null ? {} : { evidence: judged };
  return { metrics: moment.metrics, evidence: { ...judged, ...moment.evidence } };
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
