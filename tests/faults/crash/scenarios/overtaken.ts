import {
  deploy,
  type GivenDeployer,
  givenInProduction,
  givenReadyForProduction,
} from "../../../support/deployer.ts";
import type { CrashScenario } from "../scenario.ts";
import { approved, approveWhatWaits, asked, givenAt, givenStaged, givenTwo, threeSteps } from "./given.ts";

/** Deployments beside another version that could take their place, and one that has it already. */
export const overtaken: CrashScenario[] = [
  {
    name: "deploy at staging, where another is served and a third may be",
    given: async (given) => {
      await deploy(given, await givenAt(given, "run1", "staging"), "staging");
      await givenAt(given, "run3", "staging");
      const version = await givenAt(given, "run2", "staging");
      return asked("deploy", { model_version_id: version, target_stage: "staging" });
    },
  },
  {
    name: "deploy a shadow, where another is mirrored and a third may be",
    given: async (given) => {
      await givenMirrored(given);
      const version = await givenAt(given, "run2", "staging", "shadow");
      return asked("deploy", { model_version_id: version, target_stage: "shadow" });
    },
  },
  {
    name: "deploy a shadow with the server of staging, where another is mirrored and a third may be",
    given: async (given) => {
      await givenMirrored(given);
      return asked("deploy", { model_version_id: await givenStaged(given, "run2"), target_stage: "shadow" });
    },
  },
  {
    name: "deploy in production in steps, where a third version is ready",
    given: async (given) => {
      const { version } = await givenTwo(given);
      await givenReadyForProduction(given, "run3");
      return asked("deploy", { model_version_id: version, target_stage: "production", rollout: threeSteps });
    },
  },
  {
    name: "deploy in production at once, where a third version is ready",
    given: async (given) => {
      const { version } = await givenTwo(given);
      await givenReadyForProduction(given, "run3");
      const request = { model_version_id: version, target_stage: "production", rollout: "immediate" };
      return approved(given, asked("deploy", request));
    },
    meanwhile: approveWhatWaits,
  },
];

async function givenMirrored(given: GivenDeployer): Promise<void> {
  await givenInProduction(given, "run1");
  await deploy(given, await givenAt(given, "run4", "staging", "shadow"), "shadow");
  await givenAt(given, "run3", "staging", "shadow");
}
