import { expect, test } from "vitest";
import { ServiceUnavailableError } from "../../../src/agents/model_deployer/errors.ts";
import {
  act,
  errorOf,
  givenDeployer,
  givenInProduction,
  promote,
  register,
} from "../../support/given/given_deployer.ts";

const SECRET = "planted-5ecret-value";
const unreachable = () => {
  const address = `postgresql://deployer:${SECRET}@db.internal:5432/e2i`;
  return new ServiceUnavailableError("mlflow", `cannot reach ${address}`, {
    cause: new Error(`connect ${address}`),
    details: { address },
  });
};

test("no row of any table keeps the password of an address that an error named", async () => {
  const given = await givenDeployer();
  const { deployment } = await givenInProduction(given, "run1");
  for (const call of ["registry.projectStage", "episodicMemory.store", "proceduralMemory.recordUse"]) {
    given.wire.fail(call, { error: unreachable(), times: 99 });
  }
  const version = await register(given, "run2");
  given.wire.fail("router.apply", { error: unreachable(), times: 99 });
  const asked = { current_deployment_id: deployment, rollback_reason: "wrong scores" };
  await errorOf(act(given, "rollback", asked));
  await promote(given, version, "staging");
  await given.worker.tick();
  const late = await given.world.sql("select last_error from ml_outbox where last_error is not null");
  expect(JSON.stringify(late)).toContain("db.internal");
  const tables = await given.world.sql(
    "select relname as name from pg_class where relnamespace = current_schema()::regnamespace and relkind = 'r'",
  );
  expect(tables.length).toBeGreaterThan(15);
  for (const { name } of tables) {
    const rows = await given.world.sql(`table ${String(name)}`);
    expect(JSON.stringify(rows), String(name)).not.toContain(SECRET);
  }
});
