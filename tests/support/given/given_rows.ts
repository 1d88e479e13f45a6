import { expect } from "vitest";
import type { KeptRow } from "../../../src/agents/model_deployer/domain/evidence/kept_rows.ts";
import type { DeployerDatabase } from "../../../src/database/index.ts";
import { ENDPOINT, inProduction, readyForProduction, type TestDeployer } from "../../../src/testing/index.ts";

/** So many rows of an endpoint are kept, each answered by the deployments, which differ in every tenth. */
export async function keepRows(
  { keptRows }: Pick<DeployerDatabase, "keptRows">,
  number: number,
  deployments: readonly string[],
  endpoint = ENDPOINT,
): Promise<void> {
  const rows = Array.from({ length: number }, (_, index): KeptRow => {
    const answers = deployments.map((deployment_id, side) => ({
      ...{ deployment_id, prediction: index % 10 === 0 ? side : 0, score: null, has_failed: false },
      answered_at: "2026-01-01T00:00:00.000Z",
    }));
    return { request_id: `r${index}`, path: "/predict", input: { age: index }, answers };
  });
  await keptRows.collect(endpoint, { from: {}, to: { log: "1" }, rows, most: 10_000, hashes: false });
}

/** A version in production with so many kept rows, and another one whose shadow runs beside it. */
export async function givenRows(deployer: TestDeployer, number: number) {
  const { version: serving, deployment: old } = await inProduction(deployer, "run1");
  const version = await readyForProduction(deployer, "run2");
  const [found] = await deployer.database.deployments.listForVersion(version);
  const shadow = found?.deployment_id ?? expect.fail("no shadow runs");
  await keepRows(deployer.database, number, [old, shadow]);
  return { serving, old, version, shadow };
}
