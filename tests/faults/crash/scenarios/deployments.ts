import {
  givenInProduction,
  givenReadyForProduction,
  promoteWithApproval,
  SESSION,
} from "../../../support/deployer.ts";
import type { CrashScenario } from "../scenario.ts";
import { approved, approveWhatWaits, asked, givenAt, givenStaged, givenTwo, threeSteps } from "./given.ts";

export const deploying: CrashScenario[] = [
  {
    name: "deploy at staging",
    given: async (given) => {
      const version = await givenAt(given, "run1", "staging");
      return asked("deploy", { model_version_id: version, target_stage: "staging", session_id: SESSION });
    },
  },
  {
    name: "deploy a shadow",
    given: async (given) => {
      await givenInProduction(given, "run1");
      const version = await givenAt(given, "run2", "staging", "shadow");
      return asked("deploy", { model_version_id: version, target_stage: "shadow" });
    },
  },
  {
    name: "deploy a shadow with the server of staging",
    given: async (given) => {
      await givenInProduction(given, "run1");
      return asked("deploy", { model_version_id: await givenStaged(given, "run2"), target_stage: "shadow" });
    },
  },
  {
    name: "deploy the first in production",
    given: async (given) => {
      const version = await givenReadyForProduction(given, "run1");
      await promoteWithApproval(given, version);
      return asked("deploy", { model_version_id: version, target_stage: "production" });
    },
  },
  {
    name: "deploy in production in steps",
    given: async (given) => {
      const { version } = await givenTwo(given);
      return asked("deploy", { model_version_id: version, target_stage: "production", rollout: threeSteps });
    },
  },
  {
    name: "deploy in production at once, once it is approved",
    given: async (given) => {
      const { version } = await givenTwo(given);
      const request = { model_version_id: version, target_stage: "production", rollout: "immediate" };
      return approved(given, asked("deploy", request));
    },
    meanwhile: approveWhatWaits,
  },
];

export const undoing: CrashScenario[] = [
  {
    name: "undo a deployment whose server never answers",
    given: async (given) => {
      const version = await givenAt(given, "run1", "staging");
      given.server.breakModel("e2i_remission:v1", "ModuleNotFoundError: No module named 'xgboost'");
      return asked("deploy", { model_version_id: version, target_stage: "staging" });
    },
    fails: "endpoint_creation_failed",
  },
  {
    name: "undo a shadow that got the server of staging and whose sample fails",
    given: async (given) => {
      const version = await givenStaged(given, "run1");
      given.server.failSamples("the feature store is away");
      return asked("deploy", { model_version_id: version, target_stage: "shadow" });
    },
    fails: "endpoint_creation_failed",
  },
  {
    name: "undo a deployment whose route is refused",
    given: async (given) => {
      const { version } = await givenTwo(given);
      given.router.refuseStrangers("no such cluster");
      return asked("deploy", { model_version_id: version, target_stage: "production", rollout: threeSteps });
    },
    fails: "service_refused",
  },
];
