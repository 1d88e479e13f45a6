import { expect, inject, test } from "vitest";
import { harmRows } from "./rows/harm/index.ts";
import { faultRows } from "./rows/index.ts";

const SEED = 20_261_124;

/** The rows of what is around the deployer take minutes each, on parts of their own: `npm run test:faults` runs them. */
const rows = faultRows.filter((row) => !harmRows.includes(row));

test.for(rows.map((row) => [row.name, row] as const))(
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
