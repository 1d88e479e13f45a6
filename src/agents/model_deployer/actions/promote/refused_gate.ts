import type { NextStep } from "../../../base/next_step.ts";
import type { Decision, UnmetCriterion } from "../../domain/plan.ts";
import { refuse } from "../../planning/decisions.ts";
import { ask } from "../../planning/ways_out/next_steps.ts";
import { secondsAfter } from "../../planning/planned_deployment.ts";
import { allowingNext, type GateFacts, unmetProductionCriteria } from "./production_gate.ts";
import { NOT_MEASURED } from "./shadow_criteria.ts";

/** Criteria that a shadow comes to by going on, under the requests of its callers and with their outcomes. */
const MET_IN_TIME = ["shadow_hours", "shadow_requests", "shadow_bound", "shadow_outcomes"];

/** Criteria that a shadow can miss because of what was around it, such as a busy machine. */
const MET_ANEW = ["shadow_error_rate", "shadow_p99_ms"];

/** The refusal of a gate: everything that is missing, and from when on asking again makes sense. */
export function refuseUnmet(
  facts: GateFacts,
  sentence: string,
  now: string,
  also: NextStep[] = [],
): Decision {
  const unmet = unmetProductionCriteria(facts);
  const decision = refuse("production_criteria_not_met", sentence, {
    unmet,
    next: [...nextOf(facts, unmet), ...allowingNext(facts), ...also],
  });
  const lacksTime = unmet.some(({ criterion }) => MET_IN_TIME.includes(criterion));
  const isTimely = unmet.every(
    (one) => MET_IN_TIME.includes(one.criterion) || (lacksTime && isUnmeasured(one)),
  );
  if (decision.decision === "plan" || !isTimely) return decision;
  return { ...decision, refusal: { ...decision.refusal, passes: true, not_before: readyAt(facts, now) } };
}

/** The router measures a latency some seconds after the first requests: while more of them are to come, it does too. */
const isUnmeasured = ({ criterion, observed }: UnmetCriterion): boolean =>
  criterion === "shadow_p99_ms" && observed === NOT_MEASURED;

function readyAt({ policy, shadow }: GateFacts, now: string): string | null {
  const hours = policy.minimum_shadow_hours - (shadow?.hours ?? 0);
  return hours > 0 ? secondsAfter(now, Math.ceil(hours * 3600)) : null;
}

function nextOf({ version, shadow }: GateFacts, unmet: UnmetCriterion[]): NextStep[] {
  const { model_version_id } = version;
  const missed = unmet.filter((one) => MET_ANEW.includes(one.criterion) && !isUnmeasured(one));
  if (shadow !== null && missed.length > 0) {
    const { deployment_id } = shadow;
    const removal_reason = missed.map(({ sentence }) => sentence).join(" ");
    const remove = { deployment_action: "remove", deployment_id, removal_reason };
    const why = `takes the shadow of ${model_version_id} away, where it was not the model's fault; deployed there again its time and its figures begin anew`;
    return [ask(remove, why)];
  }
  const lacksShadow = unmet.some(({ criterion }) => criterion === "shadow_active");
  if (!lacksShadow || version.stage !== "shadow") return [];
  const deploy = { deployment_action: "deploy", model_version_id, target_stage: "shadow" };
  return [ask(deploy, `puts ${model_version_id} under mirrored traffic, where its time begins`)];
}
