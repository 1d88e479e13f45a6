import { describe } from "vitest";
import { describeArtifacts } from "./model_registry/artifacts_contract.ts";
import type { ModelRegistryHarness } from "./model_registry/bench.ts";
import { describeProjections } from "./model_registry/projections_contract.ts";
import { describeSignatures } from "./model_registry/signatures_contract.ts";
import { describeRuns } from "./model_registry/runs_contract.ts";
import { describeVersions } from "./model_registry/versions_contract.ts";

/** The contract of ModelRegistry. */
export function describeModelRegistry(
  implementation: string,
  prepare: () => Promise<ModelRegistryHarness>,
): void {
  describe(`model registry contract: ${implementation}`, () => {
    describe("runs", () => describeRuns(prepare));
    describe("versions", () => describeVersions(prepare));
    describe("artifacts", () => describeArtifacts(prepare));
    describe("signatures", () => describeSignatures(prepare));
    describe("projections", () => describeProjections(prepare));
  });
}
