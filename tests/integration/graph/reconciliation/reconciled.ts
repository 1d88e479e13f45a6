import { expect } from "vitest";
import type { Finding } from "../../../../src/agents/model_deployer/reconciliation/reconciliation_report.ts";
import { ENDPOINT, type GivenDeployer, givenInProduction } from "../../../support/given/given_deployer.ts";

export const signal = new AbortController().signal;

export const reconcile = ({ capabilities }: GivenDeployer) => capabilities.reconciler.reconcile({ signal });
export const routeNow = ({ router }: GivenDeployer) => router.observe(ENDPOINT, { signal });
export const endpointNow = async ({ db }: GivenDeployer) =>
  (await db.endpoints.get(ENDPOINT)) ?? expect.fail("no endpoint");
export const inShort = ({ part, subject, outcome }: Finding) => `${part} ${subject} ${outcome}`;

/** It says so once, and the next look finds nothing. */
export async function expectRepaired(given: GivenDeployer, ...expected: string[]) {
  const { findings } = await reconcile(given);
  expect(findings.map(inShort), JSON.stringify(findings)).toEqual(expected.map((one) => `${one} repaired`));
  expect((await reconcile(given)).findings).toEqual([]);
  return findings;
}

/** Version 1 serves everything, its shadow is gone. */
export async function givenServing(given: GivenDeployer) {
  const serving = await givenInProduction(given, "run1");
  await given.worker.tick();
  return serving;
}
