import { expect, test } from "vitest";
import {
  createTestDeployer,
  deploy,
  ENDPOINT,
  inProduction,
  promote,
  register,
} from "../../../src/testing/index.ts";

const signal = new AbortController().signal;

test("after a restart production is where the router sends its callers, though its shadow cannot be started", async () => {
  const given = await createTestDeployer();
  const { deployment: production } = await inProduction(given, "run1");
  const version = await register(given, "run2");
  for (const stage of ["staging", "shadow"] as const) await promote(given, version, stage);
  const { deployment_id: shadow, bento_tag } = await deploy(given, version, "shadow");
  given.server.breakModel(bento_tag, "its file is damaged");
  given.server.crash(production);
  given.server.crash(shadow);
  given.router.kill(ENDPOINT);
  const { findings } = await given.capabilities.reconciler.reconcile({ signal });
  expect(findings.find(({ subject }) => subject === shadow)?.why).toContain("its file is damaged");
  expect(findings.find(({ subject }) => subject === production)?.outcome).toBe("repaired");
  const observed = await given.server.observe(production, { signal });
  expect(observed).toMatchObject({ state: "ready" });
  const { port } = given.router.serverOf(ENDPOINT, production) ?? { port: 0 };
  expect(observed).toMatchObject({ port });
});
