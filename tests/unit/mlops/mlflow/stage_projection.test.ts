import { describe, expect, it } from "vitest";
import { stageSchema, type Stage } from "../../../../src/agents/model_deployer/domain/entities.ts";
import { differenceTo } from "../../../../src/mlops/mlflow/stage_projection.ts";

const seen = { name: "m", version: 1, source: "", run_id: "", current_stage: "None", tags: [], aliases: [] };

function projection(stage: Stage) {
  return { model_name: "m", version: 1, stage, aliases: [], dropped_aliases: [] };
}

describe("MLflow's deprecated stage", () => {
  it.each([
    ["development", null],
    ["staging", "Staging"],
    ["shadow", null],
    ["production", "Production"],
    ["archived", "Archived"],
  ] as const)("for %s is %s where it is mirrored", (stage, legacy) => {
    expect(differenceTo(projection(stage), seen, { mirrorLegacyStages: true }).legacy_stage).toBe(legacy);
  });

  it("is left alone unless it is to be mirrored, or is right already", () => {
    for (const stage of stageSchema.options) {
      expect(differenceTo(projection(stage), seen, { mirrorLegacyStages: false }).legacy_stage).toBeNull();
    }
    const staged = { ...seen, current_stage: "Staging" };
    expect(differenceTo(projection("staging"), staged, { mirrorLegacyStages: true }).legacy_stage).toBeNull();
  });
});

describe("a projection that MLflow shows already", () => {
  it("changes nothing", () => {
    const shown = { ...seen, tags: [{ key: "e2i.stage", value: "shadow" }], aliases: ["shadow"] };
    const wanted = { ...projection("shadow"), aliases: ["shadow"], dropped_aliases: ["staging"] };
    expect(differenceTo(wanted, shown, { mirrorLegacyStages: true })).toEqual({
      tag: null,
      aliases_to_set: [],
      aliases_to_drop: [],
      legacy_stage: null,
    });
  });
});
