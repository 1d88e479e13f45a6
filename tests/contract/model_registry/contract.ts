import { describe } from "vitest";
import { describeArtifacts } from "./artifacts_contract.ts";
import type { ModelRegistryHarness } from "./harness.ts";
import { describeProjections } from "./projections_contract.ts";
import { describeRuns } from "./runs_contract.ts";
import { describeVersions } from "./versions_contract.ts";

/** What every model registry promises to the deployer, whoever implements it. */
export function describeModelRegistryContract(
  implementation: string,
  prepare: () => Promise<ModelRegistryHarness>,
): void {
  describe(`model registry contract: ${implementation}`, () => {
    describe("runs", () => describeRuns(prepare));
    describe("versions", () => describeVersions(prepare));
    describe("artifacts", () => describeArtifacts(prepare));
    describe("projections", () => describeProjections(prepare));
  });
}
