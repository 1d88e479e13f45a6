import pc from "picocolors";
import { expect, test } from "vitest";
import { planLines } from "../../../../src/cli/output/plan_text.ts";
import type { SignatureComparison } from "../../../../src/agents/model_deployer/domain/models/model_signature.ts";

const linesOf = (signature: SignatureComparison | null) =>
  planLines(
    {
      summary: "Deploy remission version 2.",
      differences: [],
      steps: [],
      approvals_needed: 0,
      generation: 1,
      notes: [],
      names: { mv_1: "remission v1", mv_2: "remission v2" },
      signature,
      expectation: null,
    },
    pc.createColors(false),
  ).slice(2);

const compared = { model_version_id: "mv_2", compared_with: "mv_1", without_signature: [], differences: [] };

test("a plan names each column that differs from what serves, and those for which callers have to change", () => {
  const height = {
    part: "input" as const,
    column: "height",
    change: "new" as const,
    before: null,
    after: "double",
    breaks_callers: true,
  };
  const sex = { ...height, column: "sex", change: "gone" as const, before: "string", after: null };
  const differences = [height, { ...sex, breaks_callers: false }];
  expect(linesOf({ ...compared, differences })).toEqual([
    "  signature   against remission v1",
    "    input height is new and required (double): callers have to change",
    "    input sex is gone (string)",
  ]);
});

test("a plan says that the columns are the same, or that there are none to compare", () => {
  expect(linesOf(compared)).toEqual(["  signature   the same columns as remission v1"]);
  expect(linesOf({ ...compared, without_signature: ["mv_2"] })).toEqual([
    "  signature   remission v2 has none, so no columns are compared",
  ]);
  expect(linesOf({ ...compared, without_signature: ["mv_2", "mv_1"] })).toEqual([
    "  signature   remission v2 and remission v1 have none, so no columns are compared",
  ]);
  expect(linesOf(null)).toEqual([]);
});
