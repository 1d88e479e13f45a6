import { expect, test } from "vitest";
import { Autoscaler } from "../../../src/agents/model_deployer/reconciliation/capacity/autoscaler.ts";
import { deploymentOf } from "../../../src/testing/contracts/database/fixtures.ts";

/** What is recommended after each of some looks, 15 s apart, at servers that use so many percent of 2 cores each. */
function looksAt(replicas: number, percent: number, cores: number, looks: number) {
  let now = 0;
  const autoscaler = new Autoscaler(() => now);
  const deployment = deploymentOf("op", "d1", 1, { replicas, cpu_limit: "2" });
  return Array.from({ length: looks }, (_, look) => {
    now = look * 15_000;
    const cpu_seconds = (look * 15 * 2 * percent) / 100;
    const usage = Array.from({ length: replicas }, (_, index) => ({
      replica: index + 1,
      memory_bytes: 1,
      cpu_seconds,
      run: `run ${index}`,
      age_seconds: 60,
      out_of_memory: 0,
      throttled_seconds: null,
    }));
    return autoscaler.look(deployment, usage, cores)?.replicas ?? null;
  });
}

test("nothing is recommended before CPU was measured over two looks", () => {
  expect(looksAt(1, 140, 16, 3)).toEqual([null, 2, 2]);
});

test("a machine without cores for more keeps what was asked for, and adds none", () => {
  expect(looksAt(3, 140, 2, 3)).toEqual([null, null, null]);
  expect(looksAt(1, 140, 2, 3)).toEqual([null, null, null]);
});

test("idle servers stay for the whole window, from the first look of this process", () => {
  const seen = looksAt(3, 1, 16, 24);
  expect(seen.slice(0, 21)).toEqual(Array.from({ length: 21 }, () => null));
  expect(seen.at(-1)).toBe(1);
});
