import { describe } from "vitest";
import { describeArtifacts } from "./model_registry/artifacts.ts";
import type { ModelRegistryHarness } from "./model_registry/bench.ts";
import { describeProjections } from "./model_registry/projections.ts";
import { describeRuns } from "./model_registry/runs.ts";
import { describeVersions } from "./model_registry/versions.ts";

/** What every model registry promises to the deployer, whoever implements it. */
export function describeModelRegistry(
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
