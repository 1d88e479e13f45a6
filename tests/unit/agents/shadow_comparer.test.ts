import { expect, test } from "vitest";
import {
  act,
  createTestDeployer,
  deploy,
  inProduction,
  promote,
  register,
  type TestDeployer,
} from "../../../src/testing/index.ts";

async function givenShadow() {
  const deployer = await createTestDeployer();
  const { deployment: production } = await inProduction(deployer, "run1");
  const version = await register(deployer, "run2");
  await promote(deployer, version, "staging");
  await promote(deployer, version, "shadow");
  const { deployment_id: shadow } = await deploy(deployer, version, "shadow");
  return { deployer, production, shadow };
}

const line = (request_id: string, second: number) => ({
  request_id,
  prediction: "yes",
  score: null,
  answered_at: new Date(Date.parse("2026-01-02T03:00:00Z") + second * 1000).toISOString(),
});
const lines = (count: number, name: string, second: number) =>
  Array.from({ length: count }, (_, index) => line(`${name}${index}`, second));

/** Lines that wait for their counterpart, or have met it not long ago. */
async function waiting({ database }: TestDeployer): Promise<number | undefined> {
  const counted = await database.oldRows.count("2100-01-01T00:00:00Z");
  return counted.find(({ name }) => name === "ml_unpaired_predictions")?.rows;
}

test("what production answered before there was a shadow waits for no counterpart", async () => {
  const { deployer, production, shadow } = await givenShadow();
  deployer.predictionLogs.write(production, ...lines(300, "hours ago", -7200), line("slow", -50));
  deployer.predictionLogs.write(production, line("copied", 0), line("on its way", 2));
  deployer.predictionLogs.write(shadow, line("slow", -50), line("copied", 0));
  await deployer.worker.tick();
  expect(await deployer.database.shadowComparisons.read(shadow)).toMatchObject({ pairs: 2 });
  expect(await waiting(deployer)).toBe(3);
});

test("a shadow that has answered nothing yet waits for what production answers now", async () => {
  const { deployer, production, shadow } = await givenShadow();
  deployer.predictionLogs.write(production, ...lines(300, "hours ago", -7200), line("copied", 0));
  await deployer.worker.tick();
  expect(await waiting(deployer)).toBe(1);
  deployer.predictionLogs.write(shadow, line("copied", 0));
  await deployer.worker.tick();
  expect(await deployer.database.shadowComparisons.read(shadow)).toMatchObject({ pairs: 1 });
});

test("once a log is read it is read on whole, however late its lines come", async () => {
  const { deployer, production, shadow } = await givenShadow();
  deployer.predictionLogs.write(production, line("first", 0));
  await deployer.worker.tick();
  deployer.predictionLogs.write(production, line("hung", -500), line("second", 1));
  deployer.predictionLogs.write(shadow, line("hung", -500), line("second", 1));
  await deployer.worker.tick();
  expect(await deployer.database.shadowComparisons.read(shadow)).toMatchObject({ pairs: 2 });
});

test("what a shadow leaves behind goes, though it is no shadow any more", async () => {
  const { deployer, production, shadow } = await givenShadow();
  deployer.predictionLogs.write(production, line("once", 0), line("twice", 0));
  deployer.predictionLogs.write(shadow, line("once", 0));
  await deployer.worker.tick();
  expect(await waiting(deployer)).toBe(2);
  await act(deployer, "remove", { deployment_id: shadow, removal_reason: "it was tried" });
  deployer.passTime({ minutes: 9 });
  await deployer.worker.tick();
  expect(await waiting(deployer)).toBe(2);
  deployer.passTime({ minutes: 2 });
  await deployer.worker.tick();
  expect(await waiting(deployer)).toBe(0);
});
