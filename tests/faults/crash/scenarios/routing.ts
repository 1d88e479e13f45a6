import type { CrashScenario } from "../scenario.ts";
import { approved, approveWhatWaits, asked, givenReplaced, givenTwo } from "./given.ts";

/**
 * The actions with the most work for the router: a server that it does not know yet, and the way back to a known one.
 */
export const routing: CrashScenario[] = [
  {
    name: "switch all traffic to a new server",
    given: async (given) => {
      const { version } = await givenTwo(given);
      const request = { model_version_id: version, target_stage: "production", rollout: "immediate" };
      return approved(given, asked("deploy", request));
    },
    meanwhile: approveWhatWaits,
  },
  {
    name: "switch all traffic back to the server before",
    given: async (given) => {
      const { bad } = await givenReplaced(given);
      return asked("rollback", { current_deployment_id: bad, rollback_reason: "wrong scores" });
    },
  },
];
