import { givenDeployer } from "../../support/given/given_deployer.ts";
import { describeScenarios } from "../../support/scenarios.ts";

describeScenarios(async () => {
  const given = await givenDeployer();
  return { ...given, passTime: given.world.passTime };
});
