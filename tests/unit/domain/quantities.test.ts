import { expect, test } from "vitest";
import { threadsOf } from "../../../src/agents/model_deployer/domain/servers/quantities.ts";

test.each([
  ["4", 8, 4],
  ["4", 2, 2],
  ["500m", 8, 1],
  ["1900m", 8, 1],
  ["2", undefined, 2],
])("with a limit of %s on %s cores a server calculates with %i threads", (limit, cores, threads) => {
  expect(threadsOf(limit, cores)).toBe(threads);
});
