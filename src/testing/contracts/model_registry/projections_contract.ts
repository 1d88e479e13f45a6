import { beforeAll, describe, expect, it } from "vitest";
import type { Stage } from "../../../agents/model_deployer/domain/entities.ts";
import {
  InvalidRequestError,
  NotFoundError,
  ServiceUnavailableError,
} from "../../../agents/model_deployer/errors.ts";
import { Bench, newName, options, type ModelRegistryHarness } from "./bench.ts";

export function describeProjections(prepare: () => Promise<ModelRegistryHarness>): void {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.prepare(prepare);
  });

  describe("projectStage", () => {
    it("shows stage and aliases, again and again the same", async () => {
      const { model_name, version } = await bench.register(newName(), "k");
      const projection = {
        model_name,
        version,
        stage: "shadow" as const,
        aliases: ["shadow"],
        dropped_aliases: ["staging", "never_there"],
      };
      await bench.registry.projectStage(projection, options);
      await bench.registry.projectStage(projection, options);
      expect(await bench.harness.projectionOf(model_name, version)).toEqual({
        stage: "shadow",
        aliases: ["shadow"],
      });
      expect(await bench.registry.describeVersion(model_name, version, options)).toMatchObject({
        stage: "shadow",
        aliases: ["shadow"],
      });
    });

    it("moves an alias to the newer version, and drops only what points at the version", async () => {
      const name = newName();
      const old = await bench.register(name, "one");
      const young = await bench.register(name, "two");
      const show = (version: number, stage: Stage, aliases: string[], dropped: string[]) =>
        bench.registry.projectStage(
          { model_name: name, version, stage, aliases, dropped_aliases: dropped },
          options,
        );
      await show(old.version, "production", ["production", "champion"], []);
      await show(young.version, "production", ["production"], []);
      await show(old.version, "archived", ["previous"], ["production", "champion"]);
      const seen = async ({ version }: { version: number }) =>
        await bench.harness.projectionOf(name, version);
      expect(await seen(old)).toEqual({ stage: "archived", aliases: ["previous"] });
      expect(await seen(young)).toEqual({ stage: "production", aliases: ["production"] });
    });

    it("refuses what cannot be shown", async () => {
      const { model_name, version } = await bench.register(newName(), "k");
      const base = { model_name, version, stage: "staging" as const, dropped_aliases: [], aliases: [] };
      const missing = bench.registry.projectStage({ ...base, version: 99 }, options);
      await expect(missing).rejects.toThrow(NotFoundError);
      for (const alias of ["latest", "v1", "V2", "a b", "", "a/b"]) {
        const refused = bench.registry.projectStage({ ...base, aliases: [alias] }, options);
        await expect(refused, alias).rejects.toThrow(InvalidRequestError);
      }
      const both = bench.registry.projectStage({ ...base, aliases: ["x"], dropped_aliases: ["x"] }, options);
      await expect(both).rejects.toThrow(InvalidRequestError);
      expect(await bench.harness.projectionOf(model_name, version)).toEqual({ stage: null, aliases: [] });
    });
  });

  it("gives up at once when the caller has", async () => {
    const given = { signal: AbortSignal.abort() };
    const source = `runs:/${bench.run.run_id}/model`;
    const input = { model_name: newName(), run_id: bench.run.run_id, source, request_key: "k" };
    const projection = {
      model_name: "m",
      version: 1,
      stage: "staging" as const,
      aliases: [],
      dropped_aliases: [],
    };
    for (const call of [
      () => bench.registry.describeRun(bench.run.run_id, given),
      () => bench.registry.registerVersion(input, given),
      () => bench.registry.describeVersion("m", 1, given),
      () => bench.registry.fetchArtifact(source, given),
      () => bench.registry.projectStage(projection, given),
    ]) {
      await expect(call()).rejects.toThrow(ServiceUnavailableError);
    }
  });
}
