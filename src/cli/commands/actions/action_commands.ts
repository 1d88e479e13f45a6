import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { addJudgeFlags, judgeSettingsOf } from "../judge_options.ts";
import {
  controlRequest,
  CONTROLS,
  removalRequest,
  type RequestSource,
  resourceFields,
  restartRequest,
  RETRY,
  retryRequest,
  ROLLBACK_FLAGS,
  rollbackRequest,
  rolloutOf,
  stageField,
} from "./action_request.ts";
import { plainNumber } from "../../number_options.ts";

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
    .option(...ROLLBACK_FLAGS.to)
    .option(...ROLLBACK_FLAGS.condemnedBecause)
    .action((target, options) => onRequest(rollbackRequest(target, options)));
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
  addRetry(parent, onRequest);
  for (const [name, description] of CONTROLS) {
    parent
      .command(`${name} <target>`)
      .description(description)
      .requiredOption(...reasonOption)
      .action((target, { reason }) => onRequest(controlRequest(name, target, reason)));
  }
}

function addRetry(parent: CommandUnknownOpts, onRequest: OnRequest): void {
  const retry = parent
    .command("retry <target>")
    .description(RETRY)
    .requiredOption(...reasonOption);
  addJudgeFlags(retry);
  retry.action((target, options) => onRequest(retryRequest(target, options)));
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
  const deploy = parent
    .command("deploy <version> <stage>")
    .description("serve a version at its stage: staging, a mirrored shadow, or production in steps")
    .option("--rollout <preset>", "linear, canary or immediate", "linear")
    .option("--steps <list>", "steps of one's own as weight:seconds, such as 10:60,50:300,100:0");
  addJudgeFlags(deploy);
  deploy
    .option("--replicas <count>", "servers", plainNumber)
    .option("--cpu <limit>", 'such as "2"')
    .option("--memory <limit>", 'such as "4Gi"')
    .option("--autoscaling <min-max@percent>", "such as 1-5@70: bounds, and the CPU that is aimed at")
    .option("--adopt-staging", "take over the version's server at staging, whose callers get no answer then")
    .option("--no-adopt-staging", "start another one, though nobody has asked that at staging")
    .action((version, stage, options) =>
      onRequest(async () => ({
        deployment_action: "deploy",
        model_version_id: version,
        ...stageField(stage),
        rollout: rolloutOf(options.rollout, options.steps, judgeSettingsOf(options)),
        ...resourceFields(options),
        ...(options.adoptStaging === undefined ? {} : { adopt_staging: options.adoptStaging }),
      })),
    );
}
