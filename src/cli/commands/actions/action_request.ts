import type { AskedJudgeSettings } from "../../../agents/model_deployer/domain/evidence/judgement.ts";
import type { RolloutRequest } from "../../../agents/model_deployer/domain/requests.ts";
import { stepsOfPreset } from "../../../agents/model_deployer/domain/traffic/rollout_plan.ts";
import { InvalidRequestError } from "../../../agents/model_deployer/errors.ts";
import type { ModelDeployerRequest } from "../../../agents/model_deployer/state/state.ts";
import { judgeSettingsOf } from "../judge_options.ts";

export type RequestSource = () => Promise<ModelDeployerRequest>;
/** The controls of a rollout; the target is an endpoint or a rollout. */
export const CONTROLS = [
  ["pause", "hold a rollout at its step; the judge goes on watching"],
  ["resume", "go on with a paused rollout"],
  ["abort", "take all traffic back to the baseline at once"],
  ["promote-now", "give the candidate all traffic, past the steps that are left"],
] as const;
export const RETRY = "begin a rollout that was aborted or rolled back again";
export type ControlName = (typeof CONTROLS)[number][0];

export function controlRequest(name: ControlName, target: string, reason: string): RequestSource {
  const named = target.startsWith("rollout_") ? { rollout_id: target } : { endpoint_name: target };
  const deployment_action = name === "promote-now" ? "promote_now" : name;
  return async () => ({ deployment_action, ...named, rollout_reason: reason });
}

/** Settings of the judge that the command names stand instead of the rollout's own. */
export function retryRequest(target: string, options: { reason: string }): RequestSource {
  const named = target.startsWith("rollout_") ? { rollout_id: target } : { endpoint_name: target };
  return async () => {
    const judge = judgeSettingsOf(options);
    const settings = Object.keys(judge).length === 0 ? {} : { judge };
    return { deployment_action: "retry", ...named, rollout_reason: options.reason, ...settings };
  };
}

export interface RollbackOptions {
  reason: string;
  to?: string | undefined;
  condemnedBecause?: string | undefined;
}

/** The target is a deployment by its id, else an endpoint. */
export function rollbackRequest(
  target: string,
  { reason, to, condemnedBecause }: RollbackOptions,
): RequestSource {
  const named = target.startsWith("deploy_") ? { current_deployment_id: target } : { endpoint_name: target };
  return async () => ({
    deployment_action: "rollback",
    ...named,
    ...(to === undefined ? {} : { rollback_to: to }),
    ...(condemnedBecause === undefined ? {} : { condemned_because: condemnedBecause }),
    rollback_reason: reason,
  });
}

export const ROLLBACK_FLAGS = {
  to: ["--to <id>", "the version or deployment to bring back; by default what served before"],
  condemnedBecause: [
    "--condemned-because <text>",
    "why a version may serve again that a judge or a person has condemned",
  ],
} as const;

export function removalRequest(deployment: string, reason: string): RequestSource {
  return async () => ({ deployment_action: "remove", deployment_id: deployment, removal_reason: reason });
}

export function restartRequest(deployment: string, reason: string): RequestSource {
  return async () => ({ deployment_action: "restart", deployment_id: deployment, restart_reason: reason });
}

export interface UpdateOptions {
  reason: string;
  replicas?: number | undefined;
  cpu?: string | undefined;
  memory?: string | undefined;
  autoscaling?: string | undefined;
}

export function updateRequest(deployment: string, options: UpdateOptions): RequestSource {
  return async () => ({
    deployment_action: "update",
    deployment_id: deployment,
    ...resourceFields(options),
    update_reason: options.reason,
  });
}

export function resourceFields({ replicas, cpu, memory, autoscaling }: Omit<UpdateOptions, "reason">) {
  return {
    ...(replicas === undefined ? {} : { replicas }),
    ...(cpu === undefined ? {} : { cpu_limit: cpu }),
    ...(memory === undefined ? {} : { memory_limit: memory }),
    ...(autoscaling === undefined ? {} : { autoscaling: autoscalingOf(autoscaling) }),
  };
}

function autoscalingOf(given: string) {
  const parts = /^(\d{1,3})-(\d{1,3})@(\d{1,3})$/.exec(given)?.slice(1).map(Number);
  const [min, max, target_cpu] = parts ?? [];
  if (min !== undefined && max !== undefined && target_cpu !== undefined) return { min, max, target_cpu };
  throw new InvalidRequestError(
    `--autoscaling ${given}: write <min>-<max>@<percent of the CPU limit>, such as 1-5@70.`,
  );
}

const STAGES = ["development", "staging", "shadow", "production", "archived"] as const;
const PRESETS = ["linear", "canary", "immediate"] as const;

export function stageField(given: string): { target_stage: (typeof STAGES)[number] } {
  const stage = STAGES.find((one) => one === given);
  if (stage !== undefined) return { target_stage: stage };
  throw new InvalidRequestError(`${JSON.stringify(given)} is no stage; name one of ${STAGES.join(", ")}.`);
}

/** A preset by its name, or its steps where the command also sets the judge. */
export function rolloutOf(
  preset: string,
  steps: string | undefined,
  judge: AskedJudgeSettings,
): RolloutRequest {
  if (steps !== undefined) return { steps: stepsOf(steps), judge };
  const name = presetOf(preset);
  return Object.keys(judge).length === 0 ? name : { steps: stepsOfPreset(name), judge };
}

function presetOf(given: string): (typeof PRESETS)[number] {
  const preset = PRESETS.find((one) => one === given);
  if (preset !== undefined) return preset;
  throw new InvalidRequestError(
    `--rollout ${given} is no preset; name one of ${PRESETS.join(", ")}, or give --steps.`,
  );
}

/** @throws InvalidRequestError */
export function stepsOf(list: string): { weight: number; bake_seconds: number }[] {
  return list.split(",").map((entry) => {
    const parts = /^(\d{1,3}):(\d{1,6}(?:\.\d+)?)$/.exec(entry.trim());
    if (parts !== null) return { weight: Number(parts[1]), bake_seconds: Number(parts[2]) };
    throw new InvalidRequestError(`--steps: ${JSON.stringify(entry)} is no weight:seconds, such as 10:60.`);
  });
}
