import type { CrashScenario } from "../scenario.ts";
import { asked, givenReplaced, givenRollout } from "./given.ts";

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
];
