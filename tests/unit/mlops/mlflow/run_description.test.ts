import { describe, expect, it } from "vitest";
import { flavorsOf } from "../../../../src/mlops/mlflow/model_description.ts";
import { splitMetrics } from "../../../../src/mlops/mlflow/run_description.ts";

describe("metrics", () => {
  it("are left out and named when they are no finite numbers, or MLflow's stand-in for an infinity", () => {
    const values = [
      { key: "auc", value: 0.9 },
      { key: "zero", value: 0 },
      { key: "nan", value: "NaN" },
      { key: "text", value: "0.5" },
      { key: "up", value: 1.7976931348623157e308 },
      { key: "down", value: -1.7976931348623157e308 },
      { key: "__proto__", value: 1 },
    ];
    expect(splitMetrics(values)).toEqual({
      metrics: { auc: 0.9, zero: 0 },
      unusable_metrics: ["__proto__", "down", "nan", "text", "up"],
    });
  });
});

describe("flavors of an MLmodel file", () => {
  it.each([
    ["", []],
    ["flavors: {}\n", []],
    ["flavors:\n  xgboost:\n    data: x\n    deeper: 1\nrun_id: a\n", ["xgboost"]],
    [
      "a: 1\nflavors:\n  python_function:\n    env:\n      conda: c\n  sklearn:\n    code: null\n",
      ["python_function", "sklearn"],
    ],
    ["flavors:\r\n  lightgbm:\r\n    x: y\r\n", ["lightgbm"]],
    ["signature:\n  inputs: x\nflavors:\n  sklearn:\n    code: null", ["sklearn"]],
  ])("%j are %j", (file, flavors) => {
    expect(flavorsOf(file)).toEqual(flavors);
  });
});
