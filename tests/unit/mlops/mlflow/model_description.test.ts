import { expect, test } from "vitest";
import { ArtifactRejectedError } from "../../../../src/agents/model_deployer/errors.ts";
import { signatureOf } from "../../../../src/mlops/mlflow/model_description.ts";

const inputsOf = (...fields: unknown[]) =>
  signatureOf(`signature:\n  inputs: '${JSON.stringify(fields)}'\n  outputs: null\n`, "m")?.inputs;

test.each([
  [
    { type: "double", name: "age", required: true },
    { name: "age", type: "double", required: true },
  ],
  [
    { type: "long", name: "n", required: false },
    { name: "n", type: "long", required: false },
  ],
  [{ type: "string" }, { name: null, type: "string", required: true }],
  [
    { type: "tensor", "tensor-spec": { dtype: "float64", shape: [-1, 3] } },
    { name: null, type: "tensor of float64 [-1, 3]", required: true },
  ],
  [
    { type: "array", items: { type: "array", items: { type: "long" } }, name: "a" },
    { name: "a", type: "array of array of long", required: true },
  ],
  [
    {
      type: "object",
      name: "o",
      properties: { b: { type: "long", required: false }, a: { type: "string", required: true } },
    },
    { name: "o", type: "object {a: string, b?: long}", required: true },
  ],
  [
    { type: "map", values: { type: "double" }, name: "m" },
    { name: "m", type: "map of double", required: true },
  ],
])("the field %j is %j", (field, expected) => {
  expect(inputsOf(field)).toEqual([expected]);
});

test("a parameter has a default, so that nobody has to send it", () => {
  const params = JSON.stringify([
    { name: "cut", type: "double", default: 0.5, shape: null },
    { name: "tags", type: "string", default: ["a"], shape: [-1] },
  ]);
  expect(signatureOf(`signature:\n  inputs: '[]'\n  params: '${params}'\n`, "m")?.params).toEqual([
    { name: "cut", type: "double", required: false },
    { name: "tags", type: "array of string", required: false },
  ]);
});

test.each(["", "flavors: {}", "signature: null", "run_id: a\nsignature:\n"])(
  "%j has no signature",
  (text) => {
    expect(signatureOf(text || "{}", "m")).toBeNull();
  },
);

test.each([
  "a: [",
  "signature: text",
  "signature:\n  inputs: '[{\"name\": 1}]'",
  "signature:\n  inputs: '{'",
])("%j is rejected by name", (text) => {
  expect(() => signatureOf(text, "runs:/r/model")).toThrow(ArtifactRejectedError);
  expect(() => signatureOf(text, "runs:/r/model")).toThrow(/runs:\/r\/model .* log the model again/);
});
