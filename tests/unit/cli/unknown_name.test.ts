import { expect, test } from "vitest";
import { nearest } from "../../../src/service/problems/unknown_name.ts";

const known = ["remission", "remission_staging", "relapse", "churn"];

test.each([
  ["remision", ["remission"]],
  ["relaps", ["relapse"]],
  ["staging", ["remission_staging"]],
  ["chrun", ["churn"]],
  ["nosuch", []],
  ["", ["churn", "relapse", "remission"]],
])("%j is near to %j", (name, near) => {
  expect(nearest(name, known)).toEqual(near);
});
