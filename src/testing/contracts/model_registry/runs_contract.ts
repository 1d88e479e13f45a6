import { beforeAll, describe, expect, it } from "vitest";
import { InvalidRequestError, NotFoundError } from "../../../agents/model_deployer/errors.ts";
import { Bench, options, SIGNATURE, type ModelRegistryHarness } from "./bench.ts";

export function describeRuns(prepare: () => Promise<ModelRegistryHarness>): void {
  let bench: Bench;
  beforeAll(async () => {
    bench = await Bench.prepare(prepare);
  });

  describe("describeRun", () => {
    it("gives finite metrics, and names those that are none", async () => {
      expect(await bench.registry.describeRun(bench.run.run_id, options)).toEqual({
        run_id: bench.run.run_id,
        status: "finished",
        metrics: { roc_auc: 0.91, zero: 0 },
        unusable_metrics: ["down", "loss", "up"],
        algorithm: "sklearn",
        signature: null,
      });
    });

    it("tells what callers of the asked files send and get; a preprocessing comes first", async () => {
      const { run_id } = bench.run;
      const model = `runs:/${run_id}/model`;
      const signatureOf = async (files: { model: string; preprocessing: string | null }) =>
        (await bench.registry.describeRun(run_id, { ...options, files })).signature;
      expect(await signatureOf({ model, preprocessing: null })).toEqual(SIGNATURE);
      expect(await signatureOf({ model, preprocessing: model })).toEqual(SIGNATURE);
      expect(await signatureOf({ model, preprocessing: `runs:/${run_id}/preprocessing` })).toBeNull();
      expect(await signatureOf({ model: `runs:/${run_id}/nothing`, preprocessing: null })).toBeNull();
    });

    it.each(["running", "failed"] as const)("tells that a run is %s", async (status) => {
      const seeded = await bench.harness.seedRun({ status });
      const described = await bench.registry.describeRun(seeded.run_id, options);
      expect(described).toMatchObject({ status, metrics: {}, unusable_metrics: [], algorithm: null });
    });

    it("does not find a run that is not there", async () => {
      await expect(bench.registry.describeRun("f".repeat(32), options)).rejects.toThrow(NotFoundError);
    });

    it.each(["", "../x", "a b", "x'y", "a\nb", "x".repeat(65)])("refuses %j as a run id", async (runId) => {
      await expect(bench.registry.describeRun(runId, options)).rejects.toThrow(InvalidRequestError);
    });
  });
}
