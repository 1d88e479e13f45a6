import fc from "fast-check";
import type { ModelDeployerRequest } from "../../src/agents/model_deployer/state/state.ts";
import { ENDPOINT, EXPERIMENT } from "../../src/testing/index.ts";
import { Asked } from "./command.ts";
import { live, OTHER_EXPERIMENT, RUNS, type Run, versionOf, wait, type Walker } from "./world.ts";

const idOf = async (walker: Walker, run: Run): Promise<string> =>
  (await versionOf(walker, run))?.model_version_id ?? "mv_none";

export async function deploymentOf(walker: Walker, run: Run, stage = "production"): Promise<string> {
  const deployments = await walker.database.deployments.listForVersion(await idOf(walker, run));
  return deployments.find((one) => one.target_stage === stage)?.deployment_id ?? "deploy_none";
}

const STAGES = ["staging", "shadow", "production", "archived"] as const;
const SERVED = ["staging", "shadow", "production"] as const;
const FORWARD = { development: "staging", staging: "shadow", shadow: "production" } as const;
const STEPS = { steps: [10, 100].map((weight) => ({ weight, bake_seconds: 0 })) };

/** The next move of a run on its way, with a day under traffic where its shadow needs it. */
async function forward(walker: Walker, run: Run): Promise<ModelDeployerRequest> {
  const version = await versionOf(walker, run);
  if (version === null)
    return { deployment_action: "register", experiment_id: EXPERIMENT, mlflow_run_id: run };
  const { model_version_id, stage } = version;
  if (stage === "production" || stage === "archived") {
    return { deployment_action: "deploy", model_version_id, target_stage: "production", rollout: STEPS };
  }
  const mirrored = (await walker.database.endpoints.get(ENDPOINT))?.mirror_deployment_id;
  if (stage === "shadow" && mirrored !== (await deploymentOf(walker, run, "shadow"))) {
    return { deployment_action: "deploy", model_version_id, target_stage: "shadow" };
  }
  if (stage === "shadow") {
    await live(walker);
    await wait(walker, 24 * 3600);
  }
  return { deployment_action: "promote", model_version_id, target_stage: FORWARD[stage] };
}

export const run = fc.constantFrom(...RUNS);

/** Every action with every sensible request. */
export const asked = {
  forward: run.map((of) => new Asked(`forward ${of}`, (walker) => forward(walker, of))),
  promote: fc.tuple(run, fc.constantFrom(...STAGES)).map(
    ([of, target_stage]) =>
      new Asked(`promote ${of} ${target_stage}`, async (walker) => ({
        deployment_action: "promote",
        model_version_id: await idOf(walker, of),
        target_stage,
      })),
  ),
  archive: run.map(
    (of) =>
      new Asked(`archive ${of}`, async (walker) => ({
        deployment_action: "promote",
        model_version_id: await idOf(walker, of),
        target_stage: "archived",
      })),
  ),
  deploy: fc.tuple(run, fc.constantFrom(...SERVED), fc.boolean()).map(
    ([of, target_stage, isAtOnce]) =>
      new Asked(`deploy ${of} ${target_stage}${isAtOnce ? " at once" : ""}`, async (walker) => ({
        deployment_action: "deploy",
        model_version_id: await idOf(walker, of),
        target_stage,
        rollout: isAtOnce ? "immediate" : STEPS,
      })),
  ),
  rollback: fc.option(run).map(
    (of) =>
      new Asked(`rollback ${of ?? "the endpoint"}`, async (walker) => ({
        deployment_action: "rollback",
        ...(of === null
          ? { endpoint_name: ENDPOINT }
          : { current_deployment_id: await deploymentOf(walker, of) }),
        rollback_reason: "callers get nonsense",
      })),
  ),
  back: fc.tuple(run, fc.boolean(), fc.boolean()).map(
    ([of, byVersion, words]) =>
      new Asked(`back to ${of}${words ? " in words" : ""}`, async (walker) => ({
        deployment_action: "rollback",
        endpoint_name: ENDPOINT,
        rollback_to: byVersion ? await idOf(walker, of) : await deploymentOf(walker, of),
        ...(words ? { condemned_because: "it was not its fault" } : {}),
        rollback_reason: "callers want it",
      })),
  ),
  control: fc.tuple(fc.constantFrom("pause", "resume", "abort", "promote_now", "retry"), fc.option(run)).map(
    ([deployment_action, of]) =>
      new Asked(`${deployment_action} ${of ?? "the last"}`, async (walker) => {
        const id = of === null ? "" : (await deploymentOf(walker, of)).replace("deploy_", "rollout_");
        const named = of === null ? { endpoint_name: ENDPOINT } : { rollout_id: id };
        return { deployment_action, ...named, rollout_reason: "somebody asked" };
      }),
  ),
  server: fc.tuple(fc.constantFrom("remove", "restart"), run, fc.constantFrom(...SERVED)).map(
    ([deployment_action, of, stage]) =>
      new Asked(`${deployment_action} ${of} ${stage}`, async (walker) => ({
        deployment_action,
        deployment_id: await deploymentOf(walker, of, stage),
        [deployment_action === "remove" ? "removal_reason" : "restart_reason"]: "it hangs",
      })),
  ),
  register: run.map(
    (of) =>
      new Asked(`register ${of}`, async () => ({
        deployment_action: "register",
        experiment_id: EXPERIMENT,
        mlflow_run_id: of,
      })),
  ),
  stranger: fc.constant(
    new Asked("back to another endpoint's", async (walker) => {
      const known = await walker.database.modelVersions.getByRun(OTHER_EXPERIMENT, "run4");
      if (known === null) {
        return { deployment_action: "register", experiment_id: OTHER_EXPERIMENT, mlflow_run_id: "run4" };
      }
      const rollback_to = known.model_version_id;
      return {
        deployment_action: "rollback",
        endpoint_name: ENDPOINT,
        rollback_to,
        rollback_reason: "by mistake",
      };
    }),
  ),
};
