import { beforeAll, describe, expect, it } from "vitest";
import {
  ArtifactRejectedError,
  InvalidRequestError,
  NotFoundError,
  ServiceRefusedError,
} from "../../../agents/model_deployer/errors.ts";
import { Bench, newName, options, type ModelRegistryHarness } from "./bench.ts";

export function describeVersions(prepare: () => Promise<ModelRegistryHarness>): void {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.prepare(prepare);
  });

  describe("registerVersion", () => {
    describeNumbers(() => bench);
    describeSources(() => bench);
    describeRefusedNames(() => bench);
  });
}

function describeNumbers(bench: () => Bench): void {
  it("counts versions up under one name and describes each", async () => {
    const name = newName();
    const first = await bench().register(name, "one");
    const second = await bench().register(name, "two", {
      run_id: bench().other.run_id,
      source: `runs:/${bench().other.run_id}/model`,
    });
    expect(first).toMatchObject({ model_name: name, version: 1, run_id: bench().run.run_id });
    expect(second).toMatchObject({ model_name: name, version: 2, run_id: bench().other.run_id });
    const unshown = { stage: null, aliases: [] };
    expect(await bench().registry.describeVersion(name, 1, options)).toEqual({ ...first, ...unshown });
    expect(await bench().registry.describeVersion(name, 2, options)).toEqual({ ...second, ...unshown });
  });

  it("names the logged model itself where the source reached it through the run", async () => {
    expect((await bench().register(newName(), "k")).source).toBe(`models:/${bench().run.model_ids["model"]}`);
  });

  it.each(["op_123", 'it\'s "odd" `key`\n%', "x".repeat(201)])(
    "gives the same version for the same request key %j",
    async (key) => {
      const name = newName();
      const first = await bench().register(name, key);
      expect(await bench().register(name, key)).toEqual(first);
      await expect(bench().registry.describeVersion(name, 2, options)).rejects.toThrow(NotFoundError);
    },
  );

  it("makes one version when the same request comes several times at once", async () => {
    const name = newName();
    const made = await Promise.all(Array.from({ length: 5 }, () => bench().register(name, "same")));
    expect(new Set(made.map(({ version }) => version))).toEqual(new Set([1]));
    expect(await bench().register(name, "same")).toEqual(made[0]);
    await expect(bench().registry.describeVersion(name, 2, options)).rejects.toThrow(NotFoundError);
  });
}

function describeSources(bench: () => Bench): void {
  it("refuses a request key that stands for something else", async () => {
    const name = newName();
    await bench().register(name, "k");
    const changed = bench().register(name, "k", {
      run_id: bench().other.run_id,
      source: `runs:/${bench().other.run_id}/model`,
    });
    await expect(changed).rejects.toThrow(ServiceRefusedError);
    const moved = bench().register(name, "k", { source: `runs:/${bench().run.run_id}/preprocessing` });
    await expect(moved).rejects.toThrow(ServiceRefusedError);
  });

  it("takes every form of source that belongs to the run", async () => {
    const name = newName();
    const modelId = bench().run.model_ids["model"] ?? "";
    const sources = [
      `models:/${modelId}`,
      `mlflow-artifacts:/0/models/${modelId}/artifacts`,
      `mlflow-artifacts:/0/${bench().run.run_id}/artifacts/preprocessing`,
      `runs:/${bench().run.run_id}/preprocessing`,
      `runs:/${bench().run.run_id}/model/data`,
      `models:/${name}/1`,
    ];
    for (const [index, source] of sources.entries()) {
      expect(await bench().register(name, source, { source })).toMatchObject({ version: index + 1, source });
    }
  });

  it("refuses files of another run, whose metrics would not be theirs", async () => {
    const name = newName();
    const otherModel = bench().other.model_ids["model"] ?? "";
    for (const source of [
      `runs:/${bench().other.run_id}/model`,
      `runs:/${bench().other.run_id}/preprocessing`,
      `models:/${otherModel}`,
      `mlflow-artifacts:/0/models/${otherModel}/artifacts`,
      `mlflow-artifacts:/0/${bench().other.run_id}/artifacts/preprocessing`,
    ]) {
      await expect(bench().register(name, source, { source }), source).rejects.toThrow(ArtifactRejectedError);
    }
    await expect(bench().registry.describeVersion(name, 1, options)).rejects.toThrow(NotFoundError);
  });

  it("registers nothing for a run or an artifact that is not there", async () => {
    const name = newName();
    const unknown = "f".repeat(32);
    const noRun = bench().register(name, "k", { run_id: unknown, source: `runs:/${unknown}/model` });
    await expect(noRun).rejects.toThrow(NotFoundError);
    const noArtifact = bench().register(name, "k", { source: `runs:/${bench().run.run_id}/nothing` });
    await expect(noArtifact).rejects.toThrow(NotFoundError);
    await expect(bench().registry.describeVersion(name, 1, options)).rejects.toThrow(NotFoundError);
  });
}

function describeRefusedNames(bench: () => Bench): void {
  it.each(["", "../x", "a/b", "a:b", "it's", 'a"b', "a\nb", "x..y", "x".repeat(201), "ü"])(
    "refuses %j as a model name",
    async (name) => {
      await expect(bench().register(name, "k")).rejects.toThrow(InvalidRequestError);
      await expect(bench().registry.describeVersion(name, 1, options)).rejects.toThrow(InvalidRequestError);
    },
  );

  it.each([0, -1, 1.5, Number.NaN])("refuses %d as a version", async (version) => {
    await expect(bench().registry.describeVersion("m", version, options)).rejects.toThrow(
      InvalidRequestError,
    );
  });
}
