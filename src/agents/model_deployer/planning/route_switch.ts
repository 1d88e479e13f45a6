import { z } from "zod";
import type { ChangeOf } from "../domain/changes.ts";
import { planned } from "./decisions.ts";
import type { DeploymentStatus, Endpoint, WeightSet } from "../domain/entities.ts";
import type { PlannedStep, StepOf } from "../domain/plan.ts";
import type { Moment } from "../judge/counts/live_figures.ts";
import type { Verdict } from "../domain/evidence/judgement.ts";

export interface RouteSwitch {
  endpoint_name: string;
  /** The route that the plan was made for, and that an undo restores. */
  before: Pick<Endpoint, "generation" | "weights" | "mirror_deployment_id">;
  weights: WeightSet;
  mirror_deployment_id: string | null;
  reason: string;
  /** A judge's verdict on the versions of the route, if there is one. */
  verdict?: Verdict | null;
  /** The versions' figures at the time of the decision. */
  moment?: Moment;
}

/** The route of an endpoint that is not open yet. */
export const noRoute: RouteSwitch["before"] = { generation: 0, weights: {}, mirror_deployment_id: null };

/** Writes the wanted route into the database, then applies it to the router, as one atomic set of weights. */
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

/** The figures for the history, by name, and the evidence behind them. */
function decidedBy({
  verdict = null,
  moment,
}: RouteSwitch): Pick<StepOf<"want_route">, "metrics" | "evidence"> {
  const judged = verdict === null ? {} : { verdict: z.json().parse(verdict) };
  if (moment === undefined) return verdict === null ? {} : { evidence: judged };
  return { metrics: moment.metrics, evidence: { ...judged, ...moment.evidence } };
}

/** `keepWarmSeconds` is for `draining` and `rolled_back`. */
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
