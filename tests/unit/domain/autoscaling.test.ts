import { describe, expect, test } from "vitest";
import {
  boundsOn,
  type Recommendation,
  recommendedReplicas,
  scaledReplicas,
} from "../../../src/agents/model_deployer/domain/servers/autoscaling.ts";

/** Looks every 15 s at a load, in percent of one server's limit, that all servers share. */
function simulate(loads: readonly number[], { start = 1, target = 70, min = 1, max = 10 } = {}): number[] {
  const past: Recommendation[] = [{ at: 0, replicas: start }];
  let current = start;
  return loads.map((load, index) => {
    const now = 15 * (index + 1);
    past.push({ at: now, replicas: recommendedReplicas(current, load / current, target) });
    current = scaledReplicas(current, past, now, { min, max });
    return current;
  });
}

const times = (count: number, load: number) => Array.from({ length: count }, () => load);

describe("the published algorithm", () => {
  // "if the current metric value is 200m, and the desired value is 100m, the number of replicas will be doubled"
  test.each([
    [1, 200, 100, 2],
    [1, 50, 100, 1],
    [4, 50, 100, 2],
    [2, 180, 70, 6],
    [3, 76, 70, 3],
    [3, 63, 70, 3],
    [3, 78, 70, 4],
    [3, 0, 70, 0],
  ])("%i servers that use %i of %i percent become %i", (current, usage, target, wanted) => {
    expect(recommendedReplicas(current, usage, target)).toBe(wanted);
  });

  test("a load that stays gives 2, then as many as keep it at its target", () => {
    expect(simulate(times(4, 126))).toEqual([2, 2, 2, 2]);
  });

  test("2 at 180 % of 70 % end at the maximum, at most doubled or four more at once", () => {
    expect(simulate(times(3, 360), { start: 2, max: 5 })).toEqual([5, 5, 5]);
    expect(simulate(times(3, 3600), { start: 1, max: 40 })).toEqual([5, 10, 20]);
  });

  test("fewer only after the window of 300 s, and by the highest number that it recommended", () => {
    const seen = simulate([...times(2, 350), ...times(30, 35)]);
    expect(seen[0]).toBe(5);
    expect(seen.slice(0, 20).every((replicas) => replicas === 5)).toBe(true);
    expect(seen.at(-1)).toBe(1);
    expect(seen.findIndex((replicas) => replicas < 5)).toBe(22);
  });

  test("a load that comes and goes within the window keeps its servers", () => {
    const wave = Array.from({ length: 60 }, (_, index) => (index % 10 < 5 ? 280 : 40));
    expect(new Set(simulate(wave).slice(1))).toEqual(new Set([4]));
  });
});

test("a machine gives no more servers than it has cores for, and never fewer than were asked for", () => {
  expect(boundsOn(8, 2, { min: 1, max: 5 })).toEqual({ min: 1, max: 4 });
  expect(boundsOn(2, 2, { min: 1, max: 5 })).toEqual({ min: 1, max: 1 });
  expect(boundsOn(2, 2, { min: 3, max: 5 })).toEqual({ min: 3, max: 3 });
  expect(boundsOn(2, 0.5, { min: 1, max: 5 })).toEqual({ min: 1, max: 4 });
});
