import { mkdtemp } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { startTestServices, type TestServices } from "./test_services.ts";

declare module "vitest" {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- what is provided is what was brought up
  interface ProvidedContext extends TestServices {}
}

/** With MODEL_DEPLOYER_TEST_HOME the services run in that home and stay up, for the next run to find them ready. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const keptHome = process.env["MODEL_DEPLOYER_TEST_HOME"];
  const { services, stop } = await startTestServices({
    home: keptHome ?? (await mkdtemp(join(tmpdir(), "model-deployer-tests-"))),
    keep: keptHome !== undefined,
    cacheDirectory: process.env["MODEL_DEPLOYER_CACHE"] ?? join(homedir(), ".cache", "model-deployer"),
    onProgress: (line) => process.stderr.write(`${line}\n`),
  });
  project.provide("databaseUrl", services.databaseUrl);
  project.provide("redisUrl", services.redisUrl);
  project.provide("mlflow", services.mlflow);
  project.provide("cacheDirectory", services.cacheDirectory);
  return stop;
}
