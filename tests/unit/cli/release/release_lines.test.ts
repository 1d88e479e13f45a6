import pc from "picocolors";
import { expect, test } from "vitest";
import { releaseLines } from "../../../../src/cli/output/views/release_view.ts";

const REPORT = {
  ...{ experiment_id: "churn", mlflow_run_id: "run1", steps: null, model_version_id: "mv_1" },
  ...{ model_name: "e2i_churn", version: 1, endpoint_url: "http://127.0.0.1:1", endpoint_name: "e2i_churn" },
  ...{ operation_id: null, approver_token_file: null, lacks: [], not_before: null },
};

test.each(["in_production", "in_rollout"] as const)(
  "whoever has brought a model %s is shown the way to the console",
  (status) => {
    const lines = releaseLines({ ...REPORT, status, stage: "production" }, pc.createColors(false));
    expect(lines.filter((line) => line.startsWith("next")).join("\n")).toContain("model-deployer console");
  },
);
