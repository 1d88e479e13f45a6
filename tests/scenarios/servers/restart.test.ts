import { expect, test } from "vitest";
import {
  act,
  createTestDeployer,
  ENDPOINT,
  errorOf,
  inProduction,
  type TestDeployer,
} from "../../../src/testing/index.ts";

const signal = new AbortController().signal;
const restart = (given: TestDeployer, deployment_id: string) =>
  act(given, "restart", { deployment_id, restart_reason: "its predictions hang" });

test("a production server that hangs is restarted by hand: another one has the traffic before the former one ends", async () => {
  const given = await createTestDeployer();
  const { deployment } = await inProduction(given, "run1");
  await given.worker.tick();
  const before = await given.database.endpoints.get(ENDPOINT);
  given.server.hang(deployment);
  given.wire.calls.length = 0;
  const { deployment_manifest } = await restart(given, deployment);
  expect(deployment_manifest).toMatchObject({ deployment_id: deployment, status: "active" });
  const moves = given.wire.calls.filter((call) => /^(server\.(start|stop)|router\.apply)$/.test(call));
  expect(moves).toEqual(["server.start", "router.apply", "server.stop"]);
  const observed = await given.server.observe(deployment, { signal });
  expect(observed).toMatchObject({ state: "ready", port: given.router.serverOf(ENDPOINT, deployment)?.port });
  expect(await given.database.endpoints.get(ENDPOINT)).toEqual(before);
});

test("what has no server is not restarted, and the refusal says what helps", async () => {
  const given = await createTestDeployer();
  const { version } = await inProduction(given, "run1");
  await given.worker.tick();
  const [shadow] = (await given.database.deployments.listForVersion(version)).filter(
    ({ target_stage }) => target_stage === "shadow",
  );
  expect(await errorOf(restart(given, shadow?.deployment_id ?? ""))).toMatchObject({ code: "conflict" });
  expect(await errorOf(restart(given, "deploy_nobody"))).toMatchObject({ code: "not_found" });
});
