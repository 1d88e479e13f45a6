import { expect, test } from "vitest";
import type {
  ModelSignature,
  SignatureField,
} from "../../../src/agents/model_deployer/domain/models/model_signature.ts";
import {
  columnText,
  compareSignatures,
  withSignature,
} from "../../../src/agents/model_deployer/planning/comparisons/signature_comparison.ts";
import { propose } from "../../../src/agents/model_deployer/planning/decisions.ts";
import { planOf } from "../../support/decisions/decided.ts";
import { aVersion } from "../../support/given/given_facts.ts";

const column = (name: string | null, type = "double", required = true): SignatureField => ({
  name,
  type,
  required,
});

const signature = (
  inputs: SignatureField[],
  outputs: SignatureField[] = [column(null, "long")],
  params: SignatureField[] = [],
): ModelSignature => ({ inputs, outputs, params });

const between = (before: ModelSignature | null, after: ModelSignature | null) =>
  compareSignatures(aVersion(2, { signature: after }), aVersion(1, { signature: before }));

const found = (before: ModelSignature, after: ModelSignature) =>
  (between(before, after)?.differences ?? []).map((one) => [columnText(one), one.breaks_callers]);

test("each column that is new, gone, of another type or newly required is named, with whether it breaks callers", () => {
  const before = signature(
    [column("age"), column("sex", "string"), column("visits", "integer"), column("note", "string", false)],
    [column(null, "long")],
    [column("cut", "double", false)],
  );
  const after = signature(
    [
      column("age", "string"),
      column("visits", "long"),
      column("note", "string", true),
      column("height"),
      column("weight", "double", false),
    ],
    [column(null, "string")],
  );
  expect(found(before, after)).toEqual([
    ["input age is string and was double", true],
    ["input visits is long and was integer", false],
    ["input note is required now (string)", true],
    ["input height is new and required (double)", true],
    ["input weight is new (double)", false],
    ["input sex is gone (string)", false],
    ["output #1 is string and was long", true],
    ["param cut is gone (double)", false],
  ]);
});

test("an order of columns is no difference, and neither is the same version", () => {
  const [a, b] = [column("a"), column("b")];
  expect(found(signature([a, b]), signature([b, a]))).toEqual([]);
  const version = aVersion(1, { signature: signature([a]) });
  expect(compareSignatures(version, version)).toBeNull();
  expect(compareSignatures(version, null)).toBeNull();
});

test("a model without a signature is said to have none, and nothing is compared", () => {
  const own = signature([column("a")]);
  expect(between(null, own)).toMatchObject({ without_signature: ["mv_1"], differences: [] });
  expect(between(null, null)).toMatchObject({ without_signature: ["mv_2", "mv_1"], differences: [] });
});

test("whoever approves sees the sentences as evidence, and an answer warns of what callers have to change", () => {
  const before = aVersion(1, { signature: signature([column("a")]) });
  const after = aVersion(2, { signature: signature([column("b")]) });
  const plan = planOf(withSignature(propose({ summary: "", lease_name: "" }), after, before));
  expect(plan.evidence).toEqual({
    signature: [
      "Against mv_1, input b is new and required (double): its callers have to change.",
      "Against mv_1, input a is gone (double).",
    ],
  });
  expect(plan.draft.notes).toEqual([expect.stringMatching(/input b/)]);
  const same = withSignature(
    propose({ summary: "", lease_name: "" }),
    aVersion(2, { signature: before.signature }),
    before,
  );
  expect(planOf(same).evidence).toEqual({ signature: ["The same columns as mv_1."] });
});
