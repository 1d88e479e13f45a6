import { promoteWithApproval } from "../../../support/deployer.ts";
import { approved, approveWhatWaits, asked } from "../scenarios/given.ts";
import type { Deed } from "../children/protocol.ts";
import type { CrashScenario } from "../scenario.ts";
import type { RealDeployer } from "./real_world.ts";

export interface RealScenario extends CrashScenario<RealDeployer> {
  /** Each goes on from where the one before it ended, or begins where that one began. */
  from: "the end" | "the beginning";
}

/** One life of an endpoint, for a real server is too slow to bring about each beginning anew. */
export const realLife: RealScenario[] = [
  {
    name: "register",
    from: "the end",
    given: async (given) =>
      once("register", { experiment_id: given.experiment, mlflow_run_id: given.runOf("v1") }),
  },
  {
    name: "deploy the first, at staging",
    from: "the end",
    given: async (given) => {
      const version = await newestVersion(given);
      await act(given, "promote", { model_version_id: version, target_stage: "staging" });
      return once("deploy", { model_version_id: version, target_stage: "staging" });
    },
  },
  {
    name: "deploy in place of another, once it is approved",
    from: "the end",
    given: async (given) => {
      const first = await newestVersion(given);
      await toProduction(given, first);
      await act(given, "deploy", { model_version_id: first, target_stage: "production" });
      await act(given, "register", { experiment_id: given.experiment, mlflow_run_id: given.runOf("v2") });
      const second = await newestVersion(given);
      await act(given, "promote", { model_version_id: second, target_stage: "staging" });
      await toProduction(given, second);
      const request = { model_version_id: second, target_stage: "production", rollout: "immediate" };
      return approved(given, once("deploy", request));
    },
    meanwhile: approveWhatWaits,
  },
  {
    name: "roll back to a warm server",
    from: "the end",
    given: (given) => rollback(given),
  },
  {
    name: "roll back to a server that is gone",
    from: "the beginning",
    given: async (given) => {
      await given.world.sql(
        "update ml_deployments set drain_due_at = clock_timestamp() where drain_due_at is not null",
      );
      await given.worker.tick();
      return rollback(given);
    },
  },
];

/** Each deed of the life is another request. */
function once(action: string, request: Record<string, unknown>): Deed {
  return asked(action, { request_id: `${action}-${String(Object.values(request)[0])}`, ...request });
}

async function rollback({ world }: RealDeployer) {
  const [serving] = await world.sql(
    `select deployment_id as id from ml_deployments where target_stage = 'production' and traffic_percentage = 100`,
  );
  return once("rollback", {
    current_deployment_id: String(serving?.["id"]),
    rollback_reason: "wrong scores",
  });
}

/** From staging, with what a day under mirrored traffic would have shown. */
async function toProduction(given: RealDeployer, version: string): Promise<void> {
  await act(given, "promote", { model_version_id: version, target_stage: "shadow" });
  await act(given, "deploy", { model_version_id: version, target_stage: "shadow" });
  await given.world.sql(
    `insert into ml_shadow_evidence (deployment_id, epoch, requests, errors, p99_ms)
       select deployment_id, 'a day', 10000, 0, 20 from ml_deployments
       where model_version_id = $1 and target_stage = 'shadow'`,
    [version],
  );
  await given.world.sql(
    `update ml_deployments set activated_at = activated_at - interval '25 hours'
     where model_version_id = $1 and target_stage = 'shadow'`,
    [version],
  );
  await promoteWithApproval(given, version);
}

async function newestVersion({ world }: RealDeployer): Promise<string> {
  const [row] = await world.sql(
    "select model_version_id as id from ml_model_registry order by version desc limit 1",
  );
  return String(row?.["id"]);
}

async function act({ agent }: RealDeployer, action: string, request: Record<string, unknown>): Promise<void> {
  const { status } = await agent.execute({ deployment_action: action, ...request });
  if (status !== "completed") throw new TypeError(`${action} is ${status}`);
}
