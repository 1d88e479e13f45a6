import { givenDeployer } from "../../support/given/given_deployer.ts";
import { describeSpecification } from "../../support/specification.ts";

describeSpecification(async () => {
  const given = await givenDeployer();
  return { ...given, passTime: given.world.passTime };
});
