import { z } from "zod";
import type { Change } from "../domain/changes.ts";
import { type Resources, servedStageSchema, type Stage, type WeightSet } from "../domain/entities.ts";
import { elsewhere } from "../domain/servers/engines.ts";
import type { Plan, PlannedStep, StepOf } from "../domain/plan.ts";

export const planDifferenceSchema = z.strictObject({
  subject: z.enum([
    "stage",
    "alias",
    "traffic",
    "mirror",
    "deployment",
    "server",
    "endpoint",
    "rollout",
    "registration",
  ]),
  /** The version, endpoint, deployment or rollout that changes. */
  name: z.string(),
  /** Null where there was nothing before. */
  before: z.string().nullable(),
  /** Null where nothing is left. */
  after: z.string().nullable(),
});
/** One thing that a plan changes, as a person reads it. */
export type PlanDifference = z.infer<typeof planDifferenceSchema>;

/** The differences that the plan makes, each thing once with its state before and after. */
export function planDifferences(plan: Plan): PlanDifference[] {
  const found = [
    ...plan.steps.flatMap(ofStep),
    ...[...plan.intent, ...plan.steps.flatMap((step) => step.then), ...plan.on_success].flatMap(ofChange),
  ];
  const merged = new Map<string, PlanDifference>();
  for (const one of found) {
    const key = `${one.subject} ${one.name}`;
    const earlier = merged.get(key);
    merged.set(key, earlier === undefined ? one : { ...one, before: earlier.before });
  }
  const order = planDifferenceSchema.shape.subject.options;
  return [...merged.values()]
    .filter((one) => one.before !== one.after)
    .sort((a, b) => order.indexOf(a.subject) - order.indexOf(b.subject));
}

type ChangeOf<K extends Change["change"]> = Extract<Change, { change: K }>;
type Subject = PlanDifference["subject"];

function difference(subject: Subject, name: string, before: string | null, after: string | null) {
  return [{ subject, name, before, after }];
}

function shares(weights: WeightSet): string | null {
  const entries = Object.entries(weights).filter(([, weight]) => weight > 0);
  if (entries.length === 0) return null;
  return entries
    .sort(([, a], [, b]) => b - a)
    .map(([id, weight]) => `${weight} % ${id}`)
    .join(", ");
}

function ofStep({ do: step, undo }: PlannedStep): PlanDifference[] {
  switch (step.step) {
    case "want_route":
      return ofRoute(step, undo);
    case "start_server":
      return difference(
        "server",
        step.deployment_id,
        null,
        `serves ${step.bento_tag}${elsewhere(step.engine)}`,
      );
    case "stop_server":
    case "drain_server":
      return difference("server", step.deployment_id, "runs", null);
    case "close_endpoint":
      return difference("endpoint", step.endpoint_name, "open", null);
    case "register_in_registry":
      return difference(
        "registration",
        step.model_name,
        null,
        `the next version, from run ${step.mlflow_run_id}`,
      );
    case "give_back_server":
    case "open_endpoint":
    case "replay_rows":
    case "package_model":
    case "pin_artifact":
    case "apply_route":
      return [];
    default:
      return step satisfies never;
  }
}

function ofRoute(wanted: StepOf<"want_route">, undo: PlannedStep["undo"]): PlanDifference[] {
  const back = undo.find((one) => one.step === "want_route");
  const before = back?.step === "want_route" ? back : { weights: {}, mirror_deployment_id: null };
  const name = wanted.endpoint_name;
  return [
    ...difference("traffic", name, shares(before.weights), shares(wanted.weights)),
    ...difference("mirror", name, before.mirror_deployment_id, wanted.mirror_deployment_id),
  ];
}

function ofChange(change: Change): PlanDifference[] {
  switch (change.change) {
    case "set_stage": {
      const { model_version_id: id, from, to } = change;
      return [...difference("stage", id, from, to), ...difference("alias", id, aliasOf(from), aliasOf(to))];
    }
    case "insert_model_version":
      return difference("stage", change.model_version.model_version_id, null, change.model_version.stage);
    case "insert_deployment":
      return difference("deployment", change.deployment.deployment_id, null, change.deployment.status);
    case "set_deployment_status":
      return difference("deployment", change.deployment_id, change.from.join(" or "), statusOf(change));
    case "start_rollout":
    case "move_rollout":
      return ofRollout(change);
    case "set_resources": {
      const { deployment_id: id, expected, resources } = change;
      return difference("deployment", id, resourcesText(expected), resourcesText(resources));
    }
    case "open_endpoint":
    case "want_route":
    case "observe_route":
    case "date_deployment":
    case "mark_drained":
    case "call_off_drain":
    case "resume_drain":
    case "note_restart":
    case "spend_approval":
    case "enqueue":
    case "notify":
      return [];
    default:
      return change satisfies never;
  }
}

function ofRollout(change: ChangeOf<"start_rollout" | "move_rollout">): PlanDifference[] {
  if (change.change === "start_rollout") {
    const { rollout_id, status, steps } = change.rollout;
    const weights = steps.map((step) => `${step.weight} %`).join(", ");
    return difference("rollout", rollout_id, null, `${status}: ${weights}`);
  }
  return difference(
    "rollout",
    change.rollout_id,
    `${change.expected_status[0] ?? ""}, step ${change.expected_step_index + 1}`,
    `${change.status}, step ${change.step_index + 1}`,
  );
}

function resourcesText({ replicas, cpu_limit, memory_limit, autoscaling }: Resources): string {
  const { min, max, target_cpu } = autoscaling;
  return `replicas ${replicas}, CPU ${cpu_limit}, memory ${memory_limit}, autoscaling ${min} to ${max} at ${target_cpu} %`;
}

/** The registry's alias of a served stage is the stage's name; the others have none. */
const aliasOf = (stage: Stage): string | null => servedStageSchema.safeParse(stage).data ?? null;

function statusOf({ to, keep_warm_seconds: warm }: ChangeOf<"set_deployment_status">): string {
  return warm === null || warm === 0 ? to : `${to}, warm for ${warm} s`;
}
