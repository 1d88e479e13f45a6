import { expect, test } from "vitest";
import { formatsOf } from "../../../src/cli/commands/settings/formats_option.ts";
import {
  allowedFormats,
  refusedFormats,
} from "../../../src/agents/model_deployer/domain/models/allowed_formats.ts";
import type { LoadingReport } from "../../../src/agents/model_deployer/domain/models/loading_report.ts";
import { summaryOf } from "../../../src/agents/model_deployer/domain/models/loading_summary.ts";

const pickled = (path: string, imports: string[], problem: string | null = null): LoadingReport => ({
  formats: ["pickle"],
  pickles: [{ path, imports, problem }],
  trusted_types: [],
});
const onnx: LoadingReport = { formats: ["onnx"], pickles: [], trusted_types: [] };

test("a policy without formats allows each, and one with formats those alone", () => {
  const summary = summaryOf([{ artifact: "model", report: pickled("model.pkl", ["numpy.dtype"]) }]);
  expect(allowedFormats("churn", { formats: null })).toBeUndefined();
  const named = allowedFormats("churn", { formats: ["onnx", "pickle"] });
  expect(named && refusedFormats(summary, named, "mv_1")).toBeNull();
});

test("a refusal names the format, its files, what is allowed and the command that allows it", () => {
  const summary = summaryOf([
    { artifact: "model", report: onnx },
    { artifact: "preprocessing", report: pickled("scaler.joblib", ["numpy.dtype"]) },
  ]);
  expect(refusedFormats(summary, { experiment_id: "churn", formats: ["skops", "onnx"] }, "mv_1")).toEqual({
    refused: ["pickle"],
    sentence:
      "mv_1 is saved as pickle (preprocessing/scaler.joblib), and the policy of churn allows skops, onnx: save the model in one of these and register that run, or allow pickle by name.",
    next: [
      expect.objectContaining({
        command: 'model-deployer policy set churn --formats skops,onnx,pickle --reason "..."',
        who: "person",
      }),
    ],
  });
});

test("what is kept of a report is bounded, sorted, and says how much was left out", () => {
  const imports = Array.from({ length: 60 }, (_, number) => `os.call_${number}`);
  const problem = "it cannot be read to its end: ValueError";
  const summary = summaryOf([
    { artifact: "model", report: pickled("m.pkl", [...imports, "cloudpickle.f"], problem) },
  ]);
  expect(summary.reaching).toHaveLength(50);
  expect(summary).toMatchObject({
    formats: ["pickle"],
    modules: ["cloudpickle", "os"],
    by_value: ["cloudpickle.f"],
    unread: [`model/m.pkl: ${problem}`],
    left_out: 10,
  });
});

test("formats are named one by one or together, and one that does not exist is told with those that do", () => {
  expect(formatsOf("any")).toBeNull();
  expect(formatsOf("safe, pickle,pickle")).toEqual([
    ...["skops", "safetensors", "onnx", "xgboost", "lightgbm", "catboost"],
    "pickle",
  ]);
  expect(() => formatsOf("safe,marshal")).toThrow(
    /^--formats safe,marshal: name any, safe, or some of skops, .*pickle, pyfunc, code, as in safe,pickle\.$/,
  );
  expect(() => formatsOf("")).toThrow(/^--formats : name any/);
});
