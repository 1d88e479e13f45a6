import { afterAll, expect, inject, test } from "vitest";
import { closeSharedHarmWorld } from "./harm/shared_world.ts";
import { faultRows } from "./rows/index.ts";

const SEED = 20_261_124;

afterAll(closeSharedHarmWorld, 120_000);

test.for(faultRows.map((row) => [row.name, row] as const))(
  "%s, a selection",
  { timeout: 900_000 },
  async ([, row], { skip }) => {
    const services = {
      databaseUrl: inject("databaseUrl"),
      redisUrl: inject("redisUrl"),
      mlflowUrl: inject("mlflowUrl"),
      cacheDirectory: inject("cacheDirectory"),
    };
    const result = await row.run({ extent: "selection", seed: SEED, services, onProgress: () => undefined });
    if (result.skipped !== undefined) return skip(result.skipped);
    expect(result.violations).toEqual([]);
    expect(result).toMatchObject({ converged: result.cases, lost: 0 });
    expect(result.cases).toBeGreaterThan(0);
  },
);
