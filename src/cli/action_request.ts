import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { InvalidRequestError } from "../agents/model_deployer/errors.ts";
import type { ModelDeployerRequest } from "../agents/model_deployer/state.ts";
import { type RollbackDatabase, rollbackTarget } from "./rollback_target.ts";

/** A request may need the database to become whole: an endpoint's name stands for what it serves now. */
export type RequestSource = (database: RollbackDatabase) => Promise<ModelDeployerRequest>;
type OnRequest = (source: RequestSource) => Promise<void>;

const reasonOption = ["--reason <text>", "why; kept in the history"] as const;

/** The actions as subcommands, the same under `plan` and `apply`. */
export function addActions(parent: CommandUnknownOpts, onRequest: OnRequest): void {
  addRegistration(parent, onRequest);
  addDeployment(parent, onRequest);
  parent
    .command("promote <version> <stage>")
    .description("move a version to its next stage")
    .option(...reasonOption)
    .action((version, stage, { reason }) =>
      onRequest(async () => ({
        deployment_action: "promote",
        model_version_id: version,
        ...stageField(stage),
        ...(reason === undefined ? {} : { promotion_reason: reason }),
      })),
    );
  parent
    .command("rollback <target>")
    .description("bring back what served before; the target is an endpoint or its deployment")
    .requiredOption(...reasonOption)
    .action((target, { reason }) => onRequest(rollbackRequest(target, reason)));
  parent
    .command("remove <deployment>")
    .description("take the server of a deployment away: of staging, of a shadow, or of one that has ended")
    .requiredOption(...reasonOption)
    .action((deployment, { reason }) => onRequest(removalRequest(deployment, reason)));
  parent
    .command("restart <deployment>")
    .description("start another server of a deployment, give it the traffic, then stop the former one")
    .requiredOption(...reasonOption)
    .action((deployment, { reason }) => onRequest(restartRequest(deployment, reason)));
  for (const [name, description] of CONTROLS) {
    parent
      .command(`${name} <target>`)
      .description(description)
      .requiredOption(...reasonOption)
      .action((target, { reason }) => onRequest(controlRequest(name, target, reason)));
  }
}

/** What a person does with a rollout; the target is an endpoint or a rollout. */
export const CONTROLS = [
  ["pause", "hold a rollout at its step; the judge goes on watching"],
  ["resume", "go on with a paused rollout"],
  ["abort", "take all traffic back to the baseline at once"],
  ["promote-now", "give the candidate all traffic, past the steps that are left"],
  ["retry", "begin a rollout that was aborted or rolled back again"],
] as const;
export type ControlName = (typeof CONTROLS)[number][0];

export function controlRequest(name: ControlName, target: string, reason: string): RequestSource {
  const named = target.startsWith("rollout_") ? { rollout_id: target } : { endpoint_name: target };
  const deployment_action = name === "promote-now" ? "promote_now" : name;
  return async () => ({ deployment_action, ...named, rollout_reason: reason });
}

export function rollbackRequest(target: string, reason: string): RequestSource {
  return async (database) => ({
    deployment_action: "rollback",
    current_deployment_id: await rollbackTarget(target, database),
    rollback_reason: reason,
  });
}

export function removalRequest(deployment: string, reason: string): RequestSource {
  return async () => ({ deployment_action: "remove", deployment_id: deployment, removal_reason: reason });
}

export function restartRequest(deployment: string, reason: string): RequestSource {
  return async () => ({ deployment_action: "restart", deployment_id: deployment, restart_reason: reason });
}

function addRegistration(parent: CommandUnknownOpts, onRequest: OnRequest): void {
  parent
    .command("register <experiment> <run>")
    .description("register a finished MLflow run as a version, at development")
    .option("--model-name <name>", "the registered model's name; by default it follows the experiment")
    .option("--artifact-uri <uri>", "runs:/, models:/ or mlflow-artifacts:/; by default runs:/<run>/model")
    .option("--preprocessing-uri <uri>", "a transformer that is applied first")
    .action((experiment, run, options) =>
      onRequest(async () => ({
        deployment_action: "register",
        experiment_id: experiment,
        mlflow_run_id: run,
        ...(options.modelName === undefined ? {} : { mlflow_model_name: options.modelName }),
        ...(options.artifactUri === undefined ? {} : { model_artifact_uri: options.artifactUri }),
        ...(options.preprocessingUri === undefined
          ? {}
          : { preprocessing_artifact_uri: options.preprocessingUri }),
      })),
    );
}

function addDeployment(parent: CommandUnknownOpts, onRequest: OnRequest): void {
  parent
    .command("deploy <version> <stage>")
    .description("serve a version at its stage: staging, a mirrored shadow, or production in steps")
    .option("--rollout <preset>", "linear, canary or immediate", "linear")
    .option("--steps <list>", "steps of one's own as weight:seconds, such as 10:60,50:300,100:0")
    .option("--replicas <count>", "servers", Number)
    .option("--cpu <limit>", 'such as "2"')
    .option("--memory <limit>", 'such as "4Gi"')
    .action((version, stage, options) =>
      onRequest(async () => ({
        deployment_action: "deploy",
        model_version_id: version,
        ...stageField(stage),
        rollout: options.steps === undefined ? presetOf(options.rollout) : { steps: stepsOf(options.steps) },
        ...(options.replicas === undefined ? {} : { replicas: options.replicas }),
        ...(options.cpu === undefined ? {} : { cpu_limit: options.cpu }),
        ...(options.memory === undefined ? {} : { memory_limit: options.memory }),
      })),
    );
}

const STAGES = ["development", "staging", "shadow", "production", "archived"] as const;
const PRESETS = ["linear", "canary", "immediate"] as const;

function stageField(given: string): { target_stage: (typeof STAGES)[number] } {
  const stage = STAGES.find((one) => one === given);
  if (stage !== undefined) return { target_stage: stage };
  throw new InvalidRequestError(`${JSON.stringify(given)} is no stage; name one of ${STAGES.join(", ")}.`);
}

function presetOf(given: string): (typeof PRESETS)[number] {
  const preset = PRESETS.find((one) => one === given);
  if (preset !== undefined) return preset;
  throw new InvalidRequestError(
    `--rollout ${given} is no preset; name one of ${PRESETS.join(", ")}, or give --steps.`,
  );
}

function stepsOf(list: string): { weight: number; bake_seconds: number }[] {
  return list.split(",").map((entry) => {
    const parts = /^(\d{1,3}):(\d{1,6}(?:\.\d+)?)$/.exec(entry.trim());
    if (parts !== null) return { weight: Number(parts[1]), bake_seconds: Number(parts[2]) };
    throw new InvalidRequestError(`--steps: ${JSON.stringify(entry)} is no weight:seconds, such as 10:60.`);
  });
}
