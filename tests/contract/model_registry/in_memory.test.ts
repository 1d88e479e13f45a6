import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { InMemoryModelRegistry } from "../../../src/testing/in_memory/model_registry.ts";
import { modelIdOf } from "../../../src/testing/in_memory/run_seed.ts";
import { describeModelRegistry } from "../../../src/testing/contracts/model_registry_contract.ts";

const directories: string[] = [];
afterAll(async () => {
  for (const directory of directories) await rm(directory, { recursive: true, force: true });
});

describeModelRegistry("in memory", async () => {
  const directory = await mkdtemp(join(tmpdir(), "model-registry-"));
  directories.push(directory);
  const registry = new InMemoryModelRegistry({ directory });
  return {
    registry,
    seedRun: async (seed) => {
      const run_id = randomUUID().replaceAll("-", "");
      registry.addRun({ ...seed, run_id });
      const names = Object.keys(seed.models ?? {});
      return {
        run_id,
        model_ids: Object.fromEntries(names.map((name) => [name, modelIdOf(run_id, name)])),
      };
    },
    projectionOf: async (modelName, version) => registry.projectionOf(modelName, version),
  };
});
