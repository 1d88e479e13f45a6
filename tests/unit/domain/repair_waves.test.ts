import { expect, test } from "vitest";
import { planned } from "../../../src/agents/model_deployer/planning/decisions.ts";
import type { PlannedStep } from "../../../src/agents/model_deployer/domain/plan.ts";
import { repairWaves } from "../../../src/agents/model_deployer/reconciliation/repair_waves.ts";

const artifact = {
  model_version_id: "mv_1",
  model_name: "m",
  version: 1,
  model_artifact_uri: "runs:/1/model",
  preprocessing_artifact_uri: null,
  artifact_digest: "0".repeat(64),
  preprocessing_digest: null,
};
const resources = {
  replicas: 1,
  cpu_limit: "1",
  memory_limit: "1Gi",
  autoscaling: { min: 1, max: 1, target_cpu: 70 },
};
const served = (id: string): PlannedStep[] => [
  planned({ ...artifact, step: "package_model", bento_tag: `m:${id}` }),
  planned({ step: "start_server", deployment_id: id, bento_tag: `m:${id}`, resources, takes_over: null }),
];
const open = planned({ step: "open_endpoint", endpoint_name: "e", experiment_id: "x" });
const route = planned({ step: "apply_route", endpoint_name: "e", generation: 2 });

const shown = (steps: readonly PlannedStep[]) =>
  repairWaves(steps).map((wave) => wave.map((chain) => chain.map(({ do: { step } }) => step)));

test("servers and the router start side by side, and the route waits for all of them", () => {
  expect(shown([...served("a"), ...served("b"), open, route, ...served("warm")])).toEqual([
    [["package_model", "start_server"], ["package_model", "start_server"], ["open_endpoint"]],
    [["apply_route"]],
    [["package_model", "start_server"]],
  ]);
});

test("changes of a route are made one after another", () => {
  expect(shown([route, route])).toEqual([[["apply_route"]], [["apply_route"]]]);
});

test("nothing is nothing", () => {
  expect(shown([])).toEqual([]);
});
