import { ENDPOINT, givenReadyForProduction } from "../../../support/deployer.ts";
import type { CrashScenario } from "../scenario.ts";
import { givenReplaced, givenRollout, looksAreDue } from "./given.ts";

export const working: CrashScenario[] = [
  {
    name: "a rollout from its first step to its end",
    given: async (given) => {
      await givenRollout(given);
      return { does: "tick" };
    },
    meanwhile: async (given) => {
      given.router.sendTraffic(ENDPOINT, 1000);
      await looksAreDue(given);
    },
  },
  {
    name: "a rollout that its judge rolls back",
    given: async (given) => {
      await givenRollout(given);
      return { does: "tick" };
    },
    meanwhile: async (given) => {
      const [open] = await given.world.sql(
        "select deployment_id as id from ml_rollouts where status = 'running'",
      );
      given.router.sendTraffic(ENDPOINT, 1000, { [String(open?.["id"])]: { error_rate: 1 } });
      await looksAreDue(given);
    },
  },
  {
    name: "stopping servers, collecting evidence, delivering the outbox",
    given: async (given) => {
      await givenReplaced(given);
      await givenReadyForProduction(given, "run3");
      await given.world.sql(
        `update ml_deployments set drain_due_at = clock_timestamp() where drain_due_at is not null;
         update ml_outbox set delivered_at = null`,
      );
      return { does: "tick" };
    },
  },
];
