import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { PrunableBentos } from "../../../src/mlops/bentoml/pruning/prunable_bentos.ts";
import {
  act,
  APPROVER_TOKEN,
  assembleDeployer,
  deployAtOnce,
  ENDPOINT,
  errorOf,
  inProduction,
  promoteWithApproval,
  readyForProduction,
  TEST_EXPERIMENT,
  Wire,
} from "../../../src/testing/index.ts";
import { InMemoryModelRegistry } from "../../../src/testing/in_memory/model_registry.ts";
import { InMemoryModelServer } from "../../../src/testing/in_memory/model_server.ts";
import { createFakes } from "../../support/deployer.ts";
import { createWorld } from "../database/world.ts";
import { openWorkshop, type Workshop } from "./workshop.ts";

/** The files of a trained model, each run's a little different. */
async function filesOf(workshop: Workshop, run: string): Promise<Record<string, string>> {
  const folder = workshop.model("classifier");
  const names = await readdir(folder);
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "latin1")));
  return { ...Object.fromEntries(names.map((name, index) => [name, texts[index] ?? ""])), "run.txt": run };
}

/** BentoML's store and Postgres; the second of two versions serves, and the first one's bento has been pruned. */
async function givenPruned() {
  const workshop = await openWorkshop();
  onTestFinished(() => workshop.close());
  const world = await createWorld();
  await world.db.experiments.create(TEST_EXPERIMENT, "ana");
  await world.db.principals.enrol("omar", APPROVER_TOKEN);
  const { packager } = workshop;
  const registry = new InMemoryModelRegistry({ directory: join(workshop.directory, "artifacts") });
  for (const run_id of ["run1", "run2"]) {
    const models = { model: await filesOf(workshop, run_id) };
    registry.addRun({ run_id, metrics: { test_auc: 0.9 }, algorithm: "sklearn", models });
  }
  const server = new InMemoryModelServer(packager);
  const outside = { ...createFakes(), registry, packager, server };
  const parts = { ...outside, database: world.db, rowServers: server };
  const assembled = assembleDeployer(parts, { wire: new Wire(), settings: { patience_seconds: 600 } });
  const deployer = { ...outside, ...assembled, database: world.db, passTime: world.passTime };
  const first = await inProduction(deployer, "run1");
  const second = await readyForProduction(deployer, "run2");
  await promoteWithApproval(deployer, second);
  const { deployment_id: serves } = await deployAtOnce(deployer, second);
  await world.passTime({ hours: 2 });
  await deployer.worker.tick();
  const tag = (await world.db.deployments.get(first.deployment))?.bento_tag ?? "";
  const { home } = workshop;
  const records = { all: async () => [] };
  const store = new PrunableBentos({ home, cacheDirectory: join(workshop.directory, "cache"), records });
  await (await store.setAside(tag))?.discard();
  expect(await packager.findPackage(tag)).toBeNull();
  const back = { endpoint_name: ENDPOINT, rollback_to: first.version, rollback_reason: "wrong scores" };
  return { deployer, registry, packager, first, serves, tag, back };
}

test("a version whose bento was pruned comes back by name: it is built again from the files that were pinned", async () => {
  const { deployer, packager, first, tag, back } = await givenPruned();
  const answer = await act(deployer, "rollback", back);
  expect(answer).toMatchObject({ active_deployment_id: first.deployment, rollback_successful: true });
  expect(await packager.findPackage(tag)).toMatchObject({ bento_tag: tag });
  expect((await deployer.database.endpoints.get(ENDPOINT))?.weights).toEqual({ [first.deployment]: 100 });
});

test("where its files are gone too, that is told with what can still be done, and what serves goes on", async () => {
  const { deployer, registry, packager, serves, tag, back } = await givenPruned();
  registry.removeArtifacts("run1");
  const refused = await errorOf(act(deployer, "rollback", back));
  expect(refused).toMatchObject({ code: "not_found", retryable: false });
  expect(await packager.findPackage(tag)).toBeNull();
  expect((await deployer.database.endpoints.get(ENDPOINT))?.weights).toEqual({ [serves]: 100 });
});
