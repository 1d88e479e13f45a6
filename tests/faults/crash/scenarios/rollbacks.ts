import type { CrashScenario } from "../scenario.ts";
import { asked, givenReplaced, givenRollout, threeSteps } from "./given.ts";
import { deploy, ENDPOINT, givenReadyForProduction, promoteWithApproval } from "../../../support/deployer.ts";

export const rollingBack: CrashScenario[] = [
  {
    name: "roll back to a warm server",
    given: async (given) => {
      const { bad } = await givenReplaced(given);
      return asked("rollback", { current_deployment_id: bad, rollback_reason: "wrong scores" });
    },
  },
  {
    name: "roll back to a server that is gone",
    given: async (given) => {
      const { bad, old } = await givenReplaced(given);
      await given.world.sql(
        "update ml_deployments set drain_due_at = clock_timestamp() where deployment_id = $1",
        [old],
      );
      await given.worker.tick();
      return asked("rollback", { current_deployment_id: bad, rollback_reason: "wrong scores" });
    },
  },
  {
    name: "roll back in a rollout",
    given: async (given) => {
      const { candidate } = await givenRollout(given);
      return asked("rollback", { current_deployment_id: candidate, rollback_reason: "wrong scores" });
    },
  },
  {
    name: "bring back by name in a rollout, past its baseline",
    given: async (given) => {
      const { old } = await givenReplaced(given);
      const third = await givenReadyForProduction(given, "run3");
      await promoteWithApproval(given, third);
      await deploy(given, third, "production", { rollout: threeSteps });
      return asked("rollback", { ...byName, rollback_to: old });
    },
  },
  {
    name: "bring production back that was archived",
    given: async (given) => {
      const { version } = await givenReplaced(given);
      await promoteWithApproval(given, version, "archived");
      // However long the row takes, its server is still there.
      await given.world.sql(
        "update ml_deployments set drain_due_at = clock_timestamp() + interval '1 day' where drain_due_at is not null",
      );
      return asked("rollback", byName);
    },
  },
  {
    name: "bring back what was condemned, from its bento",
    given: async (given) => {
      const { bad, old } = await givenReplaced(given);
      await given.agent.execute({
        deployment_action: "rollback",
        current_deployment_id: bad,
        rollback_reason: "wrong scores",
      });
      await given.world.sql(
        "update ml_deployments set drain_due_at = clock_timestamp() where deployment_id = $1",
        [bad],
      );
      await given.worker.tick();
      const words = { condemned_because: "it was not its fault", current_deployment_id: old };
      return asked("rollback", { ...words, rollback_to: bad, rollback_reason: "it was innocent" });
    },
  },
];

const byName = { endpoint_name: ENDPOINT, rollback_reason: "wrong scores" };
