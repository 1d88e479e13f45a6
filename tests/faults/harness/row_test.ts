import { expect, inject, test } from "vitest";
import type { FaultRow } from "./fault_row.ts";

const SEED = 20_261_124;

/** Each row in its selection, as a test of its own. */
export function testRows(rows: readonly FaultRow[]): void {
  test.for(rows.map((row) => [row.name, row] as const))(
    "%s, a selection",
    { timeout: 900_000 },
    async ([, row], { skip }) => {
      const services = {
        databaseUrl: inject("databaseUrl"),
        redisUrl: inject("redisUrl"),
        mlflow: inject("mlflow"),
        cacheDirectory: inject("cacheDirectory"),
      };
      const result = await row.run({
        extent: "selection",
        seed: SEED,
        services,
        onProgress: () => undefined,
      });
      if (result.skipped !== undefined) return skip(result.skipped);
      expect(result.violations).toEqual([]);
      expect(result).toMatchObject({ converged: result.cases, lost: 0 });
      expect(result.cases).toBeGreaterThan(0);
    },
  );
}
