import {
  EXPERIMENT,
  givenInProduction,
  givenReadyForProduction,
  register,
} from "../../../support/deployer.ts";
import { pastTriggers } from "../../../support/world.ts";
import type { CrashScenario } from "../scenario.ts";
import { approved, approveWhatWaits, asked, givenAt } from "./given.ts";

export const registering: CrashScenario[] = [
  {
    name: "register",
    given: async () => asked("register", { experiment_id: EXPERIMENT, mlflow_run_id: "run1" }),
  },
];

export const promoting: CrashScenario[] = [
  {
    name: "promote to staging",
    given: async (given) =>
      asked("promote", { model_version_id: await register(given, "run1"), target_stage: "staging" }),
  },
  {
    name: "promote to shadow",
    given: async (given) =>
      asked("promote", { model_version_id: await givenAt(given, "run1", "staging"), target_stage: "shadow" }),
  },
  {
    name: "ask to promote to production",
    given: async (given) => {
      await givenInProduction(given, "run1");
      const version = await givenReadyForProduction(given, "run2");
      return asked("promote", { model_version_id: version, target_stage: "production" });
    },
    meanwhile: approveWhatWaits,
  },
  {
    name: "promote to production once it is approved",
    given: async (given) => {
      await givenInProduction(given, "run1");
      const version = await givenReadyForProduction(given, "run2");
      return approved(given, asked("promote", { model_version_id: version, target_stage: "production" }));
    },
    meanwhile: approveWhatWaits,
  },
  {
    name: "archive what serves, once it is approved",
    given: async (given) => {
      const { version } = await givenInProduction(given, "run1");
      return approved(given, asked("promote", { model_version_id: version, target_stage: "archived" }));
    },
    meanwhile: approveWhatWaits,
  },
];

/** The approval that nobody has used yet runs out with the process that it was for; then it is given anew. */
export const expiring: CrashScenario[] = promoting
  .filter(({ name }) => name.includes("once it is approved"))
  .map((scenario) => ({
    ...scenario,
    name: `${scenario.name}, and that has expired`,
    afterDeath: async ({ world }) => {
      await world.sql(
        pastTriggers(
          `update ml_approvals set granted_at = granted_at - interval '48 hours', expires_at = expires_at - interval '48 hours'
           where used_at is null`,
        ),
      );
    },
  }));
