import {
  deployAtOnce,
  ENDPOINT,
  EXPERIMENT,
  givenReadyForProduction,
  promoteWithApproval,
} from "../../../support/deployer.ts";
import type { Carrier, CrashScenario } from "../scenario.ts";
import { approved, approveWhatWaits, asked, givenReplaced } from "./given.ts";

const byName = { endpoint_name: ENDPOINT, rollback_reason: "wrong scores" };

/** Whoever carries this on may find the server stopped by then, so that it ends in one of two ways. */
export const atTheLastMoment: CrashScenario = {
  name: "bring back by name what is to be stopped at this moment",
  given: async (given) => {
    const { old } = await givenReplaced(given);
    await drains(given, old, "0 seconds");
    return asked("rollback", { ...byName, rollback_to: old });
  },
};

/** Ways back beside a step to the one before, and ways forward again of what went back. */
export const comingBack: CrashScenario[] = [
  {
    name: "bring back by name what is draining",
    given: async (given) => {
      const { old } = await givenReplaced(given);
      // However long the row takes, its server is still there.
      await drains(given, old, "1 day");
      return asked("rollback", { ...byName, rollback_to: old });
    },
  },
  {
    name: "bring the third back by name, from its bento",
    given: async (given) => {
      const { old } = await givenReplaced(given);
      const third = await givenReadyForProduction(given, "run3");
      await promoteWithApproval(given, third);
      await deployAtOnce(given, third);
      await drains(given, old, "0 seconds");
      await given.worker.tick();
      return asked("rollback", { ...byName, rollback_to: old });
    },
  },
  {
    name: "bring production back that was archived and whose server has ended since",
    given: async (given) => {
      const { bad, version } = await givenReplaced(given);
      await promoteWithApproval(given, version, "archived");
      await drains(given, bad, "0 seconds");
      await given.worker.tick();
      return asked("rollback", byName);
    },
  },
  {
    name: "begin the rollout of what was rolled back anew, once it is approved",
    given: async (given) => {
      const rollout_id = await givenRolledBack(given);
      return approved(given, asked("retry", { rollout_id, rollout_reason: "it was innocent" }));
    },
    meanwhile: approveWhatWaits,
  },
  {
    name: "register a run again whose version is at its end",
    given: async (given) => {
      await givenRolledBack(given);
      return asked("register", { experiment_id: EXPERIMENT, mlflow_run_id: "run2" });
    },
  },
];

/** Whoever stops servers stops this one in so much time. */
async function drains({ world }: Carrier, deployment: string, left: string): Promise<void> {
  await world.sql(
    "update ml_deployments set drain_due_at = clock_timestamp() + $2::interval where deployment_id = $1",
    [deployment, left],
  );
}

/** Version 2 took all traffic at once and was rolled back. Its server stays warm, however slow the machine. @returns its rollout */
async function givenRolledBack(given: Parameters<typeof givenReplaced>[0]): Promise<string> {
  const { bad } = await givenReplaced(given);
  await given.agent.execute({
    deployment_action: "rollback",
    current_deployment_id: bad,
    rollback_reason: "wrong scores",
  });
  await drains(given, bad, "1 day");
  const [rollout] = await given.world.sql("select rollout_id from ml_rollouts where deployment_id = $1", [
    bad,
  ]);
  return String(rollout?.["rollout_id"]);
}
