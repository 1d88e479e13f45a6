import { expect, inject, test } from "vitest";
import { faultRows } from "./rows/index.ts";

const SEED = 20_261_124;

test.each(faultRows.map((row) => [row.name, row] as const))(
  "%s, a selection",
  { timeout: 300_000 },
  async (_name, row) => {
    const services = {
      databaseUrl: inject("databaseUrl"),
      redisUrl: inject("redisUrl"),
      mlflowUrl: inject("mlflowUrl"),
      cacheDirectory: inject("cacheDirectory"),
    };
    const result = await row.run({ extent: "selection", seed: SEED, services, onProgress: () => undefined });
    expect(result.violations).toEqual([]);
    expect(result).toMatchObject({ converged: result.cases, lost: 0 });
    expect(result.cases).toBeGreaterThan(0);
  },
);
