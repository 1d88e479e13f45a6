import { randomUUID } from "node:crypto";
import type { MLflowAccess } from "../../../src/wiring/settings/mlflow_settings.ts";
import { MLflowSeed } from "../../integration/mlflow/mlflow_seed.ts";
import {
  deploy,
  deployAtOnce,
  EXPERIMENT,
  type GivenDeployer,
  givenInProduction,
  givenReadyForProduction,
  promote,
  promoteWithApproval,
  register,
  SESSION,
} from "../../support/deployer.ts";

export const actions = ["register", "promote", "deploy", "rollback"] as const;
export type Action = (typeof actions)[number];

/** The runs that a case registers: `first` and, for what replaces something, `second`. */
export interface Runs {
  first: string;
  second: string;
  /** The registry's name for the model; one of its own where cases share a registry. */
  model?: { mlflow_model_name: string };
}

export const runsInMemory: Runs = { first: "run1", second: "run2" };

const MLMODEL =
  "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n  sklearn:\n    code: null\n";

/** Trained runs in a real MLflow, under a model's name that no other case has. */
export async function runsInMlflow(mlflow: MLflowAccess): Promise<Runs> {
  const seed = new MLflowSeed(mlflow);
  const [first = "", second = ""] = await Promise.all(
    ["first", "second"].map(async (which) => {
      const files = { MLmodel: MLMODEL, "model.bin": `weights of the ${which}` };
      return (await seed.addRun({ metrics: { test_auc: 0.9 }, models: { model: files } })).run_id;
    }),
  );
  return { first, second, model: { mlflow_model_name: `faults_${randomUUID().slice(0, 8)}` } };
}

export interface Prepared {
  /** The request to the agent, always the same. */
  request: Record<string, unknown> & { deployment_action: Action; request_id: string };
}

/** Brings a deployer to where the action can be asked for, and gives the request. */
export async function prepare(action: Action, given: GivenDeployer, runs: Runs): Promise<Prepared> {
  const common = { request_id: `faults-${randomUUID()}`, session_id: SESSION };
  const asked = await requests[action](given, runs);
  await given.worker.tick();
  return { request: { deployment_action: action, ...common, ...asked } };
}

type Preparation = (given: GivenDeployer, runs: Runs) => Promise<Record<string, unknown>>;

const requests: Readonly<Record<Action, Preparation>> = {
  register: async (_given, { first, model }) => ({
    experiment_id: EXPERIMENT,
    mlflow_run_id: first,
    ...model,
  }),
  promote: async (given, { first, model }) => ({
    model_version_id: await register(given, first, model),
    target_stage: "staging",
  }),
  deploy: async (given, { first, second, model }) => {
    await deploy(given, await atStaging(given, first, model), "staging");
    return { model_version_id: await atStaging(given, second, model), target_stage: "staging" };
  },
  rollback: async (given, { first, second }) => {
    await givenInProduction(given, first);
    const version = await givenReadyForProduction(given, second);
    await promoteWithApproval(given, version);
    const { deployment_id } = await deployAtOnce(given, version);
    return { current_deployment_id: deployment_id, rollback_reason: "its answers are wrong" };
  },
};

async function atStaging(given: GivenDeployer, run: string, model: Runs["model"]): Promise<string> {
  const version = await register(given, run, model);
  await promote(given, version, "staging");
  return version;
}
