import { expect, test } from "vitest";
import type { Format } from "../../../src/agents/model_deployer/domain/models/loading_report.ts";
import type { LongCallOptions } from "../../../src/agents/model_deployer/ports/call_options.ts";
import type { FetchedArtifact } from "../../../src/agents/model_deployer/ports/model_registry_port.ts";
import {
  act,
  createTestDeployer,
  deploy,
  ENDPOINT,
  errorOf,
  EXPERIMENT,
  InMemoryModelRegistry,
  inProduction,
  promote,
  promoteWithApproval,
  readyForProduction,
  register,
  type RunSeed,
  type TestDeployer,
} from "../../../src/testing/index.ts";

const described = (loader: string, more = "") =>
  `flavors:\n  python_function:\n    loader_module: ${loader}\n${more}`;
const ofRun = (run_id: string, files: Record<string, string>): RunSeed => ({
  run_id,
  metrics: { test_auc: 0.9 },
  models: { model: files },
});
const PICKLED = ofRun("pickled", {
  MLmodel: described("mlflow.sklearn", "  sklearn:\n    serialization_format: cloudpickle\n"),
  "model.pkl": "bytes",
});
const ONNX = ofRun("onnx", { MLmodel: described("mlflow.onnx"), "model.onnx": "bytes" });
const pickledBy = (run_id: string): RunSeed => ({ ...PICKLED, run_id });

async function allow({ database }: TestDeployer, formats: Format[] | null): Promise<void> {
  const { policy_id: _, ...policy } = await database.experiments.getGatePolicy(EXPERIMENT);
  await database.experiments.setGatePolicy(EXPERIMENT, { ...policy, formats, reason: "no code" }, "ana");
}

test("a pickle is refused before it is registered, by its file, and is allowed by name", async () => {
  const given = await createTestDeployer({ runs: [PICKLED, ONNX] });
  await allow(given, ["onnx", "skops"]);
  const error = await errorOf(register(given, "pickled"));
  expect(error).toMatchObject({
    code: "artifact_rejected",
    retryable: false,
    details: { refused: ["pickle"], allowed: ["onnx", "skops"] },
  });
  expect(error.message).toContain("pickle (model/model.pkl)");
  expect(error.next[0]?.command).toContain(`policy set ${EXPERIMENT} --formats onnx,skops,pickle`);
  expect(await given.database.modelVersions.list(EXPERIMENT)).toEqual([]);
  const safe = await register(given, "onnx");
  expect((await given.database.modelVersions.get(safe))?.loading).toMatchObject({ formats: ["onnx"] });

  await allow(given, ["onnx", "pickle"]);
  const version = await register(given, "pickled");
  expect((await given.database.modelVersions.get(version))?.loading).toMatchObject({
    formats: ["pickle"],
    pickles: ["model/model.pkl"],
  });
});

test("with no policy of formats everything is registered and deployed as ever", async () => {
  const given = await createTestDeployer({ runs: [PICKLED] });
  const version = await register(given, "pickled");
  await promote(given, version, "staging");
  expect(await deploy(given, version, "staging")).toMatchObject({ status: "active" });
});

test("a tightened policy lets no such version be deployed or promoted to production", async () => {
  const given = await createTestDeployer({ runs: [PICKLED, pickledBy("run1")] });
  const version = await register(given, "pickled");
  await promote(given, version, "staging");
  const ready = await readyForProduction(given, "run1");
  await allow(given, ["onnx"]);
  const started = [...given.server.started];
  const refused = await errorOf(deploy(given, version, "staging"));
  expect(refused).toMatchObject({ code: "artifact_rejected", retryable: false });
  expect(refused.next[0]?.command).toContain("--formats onnx,pickle");
  const gate = await errorOf(promoteWithApproval(given, ready));
  expect(gate).toMatchObject({ code: "production_criteria_not_met", retryable: false });
  expect(gate.details["unmet"]).toEqual([
    expect.objectContaining({ criterion: "formats", required: "only onnx", observed: "pickle" }),
  ]);
  expect(gate.next).toMatchObject([
    { action: "set_policy", command: refused.next[0]?.command, who: "person" },
  ]);
  expect(given.server.started).toEqual(started);
});

test("a rollout whose version a tightened policy refuses is retried once a person allows its formats, as the refusal says", async () => {
  const given = await createTestDeployer({ runs: [ONNX, pickledBy("run1")] });
  await inProduction(given, "onnx");
  await inProduction(given, "run1");
  const stopped = { endpoint_name: ENDPOINT, rollout_reason: "not on a Friday" };
  await act(given, "abort", stopped);
  await allow(given, ["onnx"]);
  const refused = await errorOf(act(given, "retry", stopped));
  expect(refused).toMatchObject({ code: "production_criteria_not_met", retryable: false });
  expect(refused.next[0]).toMatchObject({ action: "set_policy", who: "person" });
  expect(refused.next[0]?.command).toContain("--formats onnx,pickle");
  await allow(given, ["onnx", "pickle"]);
  expect(await act(given, "retry", stopped)).toHaveProperty("__interrupt__");
});

test("what serves when a policy is tightened goes on, and comes back by a rollback", async () => {
  const given = await createTestDeployer({
    runs: [pickledBy("run1"), { ...ONNX, run_id: "run2" }],
  });
  const { deployment } = await inProduction(given, "run1");
  const next = await readyForProduction(given, "run2");
  await allow(given, ["onnx"]);
  await promoteWithApproval(given, next);
  const rollout = {
    steps: [
      { weight: 10, bake_seconds: 60 },
      { weight: 100, bake_seconds: 0 },
    ],
  };
  const candidate = await deploy(given, next, "production", { rollout });
  expect(candidate).toMatchObject({ rollout: { status: "running" } });
  await act(given, "rollback", { endpoint_name: ENDPOINT, rollback_reason: "callers get nonsense" });
  expect((await given.database.endpoints.get(ENDPOINT))?.weights).toEqual({ [deployment]: 100 });
});

/** As an earlier release did, it does not tell what loading would do until `reads` is set. */
class UnreadingRegistry extends InMemoryModelRegistry {
  reads = false;

  override async fetchArtifact(uri: string, options: LongCallOptions): Promise<FetchedArtifact> {
    const { loading, ...fetched } = await super.fetchArtifact(uri, options);
    return this.reads && loading !== undefined ? { ...fetched, loading } : fetched;
  }
}

test("a version whose formats were never read has them looked at when it is deployed, packaged before or not", async () => {
  const registry = new UnreadingRegistry();
  registry.addRun(PICKLED);
  const given = await createTestDeployer({ parts: { registry } });
  const version = await register(given, "pickled");
  await promote(given, version, "staging");
  await deploy(given, version, "staging");
  expect((await given.database.modelVersions.get(version))?.loading).toBeNull();

  await allow(given, ["onnx"]);
  const unknown = await errorOf(deploy(given, version, "staging", { request_id: "a" }));
  expect(unknown).toMatchObject({ code: "artifact_rejected" });
  expect(unknown.message).toContain("It is not known in which formats");
  registry.reads = true;
  const refused = await errorOf(deploy(given, version, "staging", { request_id: "b" }));
  expect(refused).toMatchObject({ code: "artifact_rejected", details: { refused: ["pickle"] } });
  await allow(given, ["pickle"]);
  expect(await deploy(given, version, "staging", { request_id: "c" })).toMatchObject({ status: "active" });
});
