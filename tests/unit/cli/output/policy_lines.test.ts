import pc from "picocolors";
import { expect, test } from "vitest";
import { policyReport } from "../../../../src/cli/commands/settings/shown_policy.ts";
import { aPolicy } from "../../../support/given/given_facts.ts";

test("a policy shows its formats and engines, and what is in others with what becomes of it", () => {
  const lines = policyReport({
    experiment_id: "churn",
    gate_policy: aPolicy({ formats: ["skops", "onnx"], engines: { production: "kubernetes" } }),
    versions_signed_by_others: [],
    versions_in_other_formats: [
      { model_version_id: "mv_1", stage: "production", formats: ["pickle"] },
      { model_version_id: "mv_2", stage: "staging", formats: null },
    ],
    deployments_on_other_engines: [{ deployment_id: "d1", target_stage: "production", engine: "local" }],
  }).lines(pc.createColors(false), 120);
  expect(lines.find((line) => line.startsWith("  formats"))).toMatch(/^ {2}formats +skops, onnx$/);
  expect(lines.filter((line) => line.startsWith("  engine"))).toEqual([
    expect.stringMatching(/^ {2}engine: staging +the installation's usual one$/),
    expect.stringMatching(/^ {2}engine: production +kubernetes$/),
  ]);
  expect(lines.slice(-3)).toEqual([
    "  mv_1 (production) is saved as pickle: it is not deployed anew; where it serves, it goes on and comes back.",
    "  mv_2 (staging): its formats were not read; they are before it is deployed anew.",
    "  d1 (production) serves on local and stays there; the next deployment is made where the policy says.",
  ]);
});
