import { createWorld } from "../../integration/database/world.ts";
import type { InstallationKind } from "../../../src/database/index.ts";
import { deployerIn, type DeployerOptions, type GivenDeployer } from "../deployer.ts";

export * from "../deployer.ts";

interface GivenOptions extends DeployerOptions {
  installation?: InstallationKind;
}

/** With an experiment, its runs `run1` to `run4`, and a principal who may approve; it goes when the test has finished. */
export async function givenDeployer(options: GivenOptions = {}): Promise<GivenDeployer> {
  return deployerIn(await createWorld(options.installation), options);
}
