import type { DeployerDatabase } from "../../src/database/index.ts";
import { AgentError } from "../../src/errors.ts";
import type { NextStep } from "../../src/agents/base/next_step.ts";
import type { ModelDeployerRequest } from "../../src/agents/model_deployer/state/state.ts";
import {
  approve,
  assembleDeployer,
  createTestDeployer,
  deployAtOnce,
  ENDPOINT,
  EXPERIMENT,
  inProduction,
  promoteWithApproval,
  readyForProduction,
  type TestDeployer,
  Wire,
} from "../../src/testing/index.ts";
import { modelDeployerRequestOf } from "../support/decisions/followed.ts";

/** What a walk acts on: a deployer that can be copied where it is one of the kit. */
export type Walker = Pick<
  TestDeployer,
  "agent" | "router" | "server" | "packager" | "registry" | "worker" | "wire"
> & {
  database: DeployerDatabase;
  passTime(by: Parameters<TestDeployer["passTime"]>[0]): void | Promise<void>;
  copy?: () => Promise<Walker>;
  /** Another process of the deployer on the same state: another lease holder, behind a wire of its own. */
  beside(): Pick<TestDeployer, "agent" | "wire">;
};

export const RUNS = ["run1", "run2", "run3"] as const;
export type Run = (typeof RUNS)[number];
export const OTHER_EXPERIMENT = "relapse";
export const OTHER_ENDPOINT = "e2i_relapse";

/** Over a deployer of the kit, which can be copied. */
function walkerOver(deployer: TestDeployer): Walker {
  return {
    ...deployer,
    copy: async () => walkerOver(await deployer.copy()),
    beside: () => processBeside(deployer),
  };
}

export function processBeside(deployer: TestDeployer): ReturnType<Walker["beside"]> {
  const { database, server, clock } = deployer;
  const wire = new Wire();
  const parts = { ...deployer, database: database.asProcess("process-b"), serverUsage: server };
  const settings = { ...deployer.settings, requested_by: "bea" };
  const { agent } = assembleDeployer(parts, { wire, settings, now: () => clock.read / 1000 });
  return { agent, wire };
}

export async function addOtherExperiment({ database }: Pick<Walker, "database">): Promise<void> {
  await database.experiments.create(
    {
      experiment_id: OTHER_EXPERIMENT,
      experiment_name: "Relapse within a year",
      prediction_target: "relapse",
      minimum_auc: 0.8,
      minimum_precision_at_k: null,
      maximum_fpr: null,
    },
    "ana",
  );
}

/**
 * Beginnings from which walks set out: nothing, one version in production with another ready, and three that served. There
 * are two experiments with an endpoint each; three runs of the first can be registered, the fourth is the other one's.
 */
export async function createBeginnings(): Promise<Walker[]> {
  const nothing = await createTestDeployer();
  await addOtherExperiment(nothing);
  const one = await nothing.copy();
  await inProduction(one, "run1");
  await readyForProduction(one, "run2");
  const three = await one.copy();
  for (const run of ["run2", "run3"] as const) {
    const version = (await versionOf(three, run))?.model_version_id ?? (await readyForProduction(three, run));
    await promoteWithApproval(three, version);
    await deployAtOnce(three, version);
    await three.worker.tick();
  }
  return [nothing, one, three].map(walkerOver);
}

/** The next of the beginnings, each in its turn, untouched. */
export async function beginAt(beginnings: readonly Walker[], turn: number): Promise<Walker> {
  const beginning = beginnings[turn % beginnings.length];
  if (beginning?.copy === undefined) throw new TypeError("a beginning is a deployer of the kit");
  return beginning.copy();
}

/** The outcome of a request: null where it went through, approvals included. */
export async function ask(
  walker: Walker,
  request: ModelDeployerRequest,
  plans = 3,
): Promise<AgentError | null> {
  const error = await outcome(walker.agent.execute(request));
  if (error?.code !== "approval_required") return error;
  const refused = await outcome(approve(walker, String(error.details["operation_id"])));
  // What another has moved since then is planned anew, as that refusal says.
  if (refused?.code === "invalid_approval" && plans > 1) return ask(walker, request, plans - 1);
  return refused ?? outcome(walker.agent.execute(request));
}

async function outcome(work: Promise<unknown>): Promise<AgentError | null> {
  try {
    await work;
    return null;
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
}

/** Carries out a way out; an approval has been given already where one was asked for. */
export async function follow(walker: Walker, step: NextStep): Promise<AgentError | null> {
  return step.request === null ? null : ask(walker, modelDeployerRequestOf(step));
}

/** Both listeners get requests, good ones unless told, and the worker looks. */
export async function live(walker: Walker, bad: Record<string, { error_rate: number }> = {}): Promise<void> {
  for (const name of [ENDPOINT, OTHER_ENDPOINT]) {
    const route = await walker.router
      .observe(name, { signal: AbortSignal.timeout(120_000) })
      .catch(() => null);
    if (route !== null) walker.router.sendTraffic(name, 1000, bad);
  }
  await walker.worker.tick();
}

export async function wait(walker: Walker, seconds: number): Promise<void> {
  await walker.passTime({ seconds });
  await live(walker);
  await walker.passTime({ seconds: 2 });
  await live(walker);
}

/** The newest version of a run; null before it is registered. */
export function versionOf({ database }: Pick<Walker, "database">, run: Run) {
  return database.modelVersions.getByRun(EXPERIMENT, run);
}

/** Whether the files of a run have all traffic of its endpoint, under whatever version. */
export async function serves({ database }: Walker, run: Run): Promise<boolean> {
  const endpoint = await database.endpoints.get(ENDPOINT);
  const [id = ""] = Object.entries(endpoint?.weights ?? {}).flatMap(([id, weight]) =>
    weight === 100 ? [id] : [],
  );
  const deployment = await database.deployments.get(id);
  const version = await database.modelVersions.get(deployment?.model_version_id ?? "");
  return version?.mlflow_run_id === run;
}

/** The state as the walk tells states apart: stages, what serves or served and how that ended, and what is under way. */
export async function signatureOf(walker: Walker): Promise<string> {
  const { database, server } = walker;
  const [versions, ways, endpoint] = await Promise.all([
    database.modelVersions.list(EXPERIMENT),
    database.rollbackFacts.waysBack(ENDPOINT),
    database.endpoints.get(ENDPOINT),
  ]);
  const running = await server.list();
  const rollout = ways?.open_rollout ?? null;
  const mirror = await database.deployments.get(endpoint?.mirror_deployment_id ?? "");
  const mirrored = versions.find(({ model_version_id: id }) => id === mirror?.model_version_id);
  return JSON.stringify({
    versions: versions.map(
      ({ mlflow_run_id, stage, earlier_version_id }) =>
        `${mlflow_run_id} ${stage} ${earlier_version_id !== null}`,
    ),
    served: ways?.served.map(({ deployment: one, version, was_only_stopped }) =>
      [
        version.mlflow_run_id,
        version.stage,
        one.status,
        was_only_stopped,
        Math.sign(endpoint?.weights[one.deployment_id] ?? 0),
        running.includes(one.deployment_id),
      ].join(" "),
    ),
    mirror: mirrored?.mlflow_run_id ?? null,
    rollout: rollout === null ? null : `${rollout.status} ${rollout.pause !== null}`,
  });
}
