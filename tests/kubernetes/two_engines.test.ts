import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { BenchTeam } from "../../bench/support/bench_team.ts";
import { STANDARD_GATE_POLICY } from "../../src/agents/model_deployer/domain/models/gate_policy.ts";
import { stopHome } from "../../src/platform/processes/homes/stop_home.ts";
import { pollUntil } from "../../src/testing/poll.ts";
import { connectModelDeployer } from "../../src/wiring/connect_model_deployer.ts";
import type { ModelDeployer } from "../../src/wiring/model_deployer.ts";
import { CountedLoad } from "../faults/harm/counted_load.ts";
import { realCluster } from "./cluster_of_environment.ts";

const EXPERIMENT = "two_engines";
const REQUIREMENTS = ["mlflow-skinny==3.17.2", "pandas", "numpy"];
const MODEL = `
class Echo:
    def predict(self, frame, params=None):
        return [float(value) for value in frame["x"]]


def _load_pyfunc(_path):
    return Echo()
`;

/** The files of a model as MLflow would have saved it. */
function model(version: string): Record<string, string> {
  const inputs = JSON.stringify([{ type: "double", name: "x", required: true }]);
  const outputs = JSON.stringify([{ type: "double", required: true }]);
  return {
    // JSON is YAML.
    MLmodel: JSON.stringify({
      flavors: { python_function: { loader_module: "echo_model", code: "code", env: {} } },
      mlflow_version: "3.17.2",
      metadata: { version },
      signature: { inputs, outputs },
    }),
    "requirements.txt": REQUIREMENTS.join("\n"),
    "serving_input_example.json": JSON.stringify({ dataframe_split: { columns: ["x"], data: [[1]] } }),
    "code/echo_model.py": MODEL,
  };
}

/** A deployer whose usual engine is this machine, with the cluster beside it and a router that reaches both. */
async function givenBothEngines(): Promise<{ deployer: ModelDeployer; team: BenchTeam }> {
  const home = await mkdtemp(join(tmpdir(), "two-engines-"));
  const usual = { MODEL_DEPLOYER_ENGINE: "local,kubernetes", MODEL_DEPLOYER_ROUTER: "worker" };
  const { configuration, client } = await realCluster(home, usual);
  const deployer = await connectModelDeployer(configuration);
  const over = new AbortController();
  const working = deployer.worker.run({ signal: over.signal });
  const team = await BenchTeam.at(deployer);
  onTestFinished(async () => {
    over.abort();
    await working;
    const options = { signal: AbortSignal.timeout(300_000) };
    for (const id of await deployer.parts.server.list()) await deployer.parts.server.stop(id, options);
    await team.close();
    await deployer.close();
    await client.close();
    await stopHome(home);
    await rm(home, { recursive: true, force: true });
  });
  return { deployer, team };
}

test("a policy moves what is served here into the cluster by a judged rollout under load, and a rollback brings it back here: nothing is lost", async () => {
  const { deployer, team } = await givenBothEngines();
  const { experiments, history } = deployer.database;
  await team.plan(EXPERIMENT);
  const first = await team.serve(await team.register(EXPERIMENT, model("first")));
  expect(first.engine).toBe("local");
  const load = new CountedLoad({ url: first.endpoint_url, lanes: 4, pauseMs: 20 });
  load.start();

  const engines = { production: "kubernetes" } as const;
  const { policy_id: _, ...standard } = STANDARD_GATE_POLICY;
  const reason = "it outgrows this machine";
  await experiments.setGatePolicy(EXPERIMENT, { ...standard, engines, reason }, "ana");
  const steps = [
    { weight: 20, bake_seconds: 2 },
    { weight: 100, bake_seconds: 0 },
  ];
  const next = await team.register(EXPERIMENT, model("second"));
  // Pods of this machine are as fast as what runs beside them lets them be.
  const judge = { maximum_latency_ratio: null };
  const moved = await team.serve(next, { rollout: { steps, judge } });
  expect(moved).toMatchObject({ engine: "kubernetes", endpoint_url: first.endpoint_url });
  const ended = await pollUntil(
    async () => {
      const rollout = await history.lastRollout(first.endpoint_name);
      return rollout === null || rollout.status === "running" ? null : rollout;
    },
    { deadlineMs: 300_000, what: "end of the rollout" },
  );
  expect(ended).toMatchObject({ status: "completed" });
  const answered = await fetch(`${first.endpoint_url}/predict`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ entity_id: "e1", features: { x: 1 }, time_horizon: "30d" }),
  });
  expect(answered.headers.get("x-deployment-id")).toBe(moved.deployment_id);

  const back = await team.releases.act("rollback", {
    endpoint_name: first.endpoint_name,
    rollback_reason: "it answers too late there",
  });
  expect(back.deployment_manifest).toMatchObject({ deployment_id: first.deployment_id, engine: "local" });
  const counted = await load.end();
  expect(counted).toMatchObject({ lost: 0, wrong: [] });
  expect(counted.answered).toBeGreaterThan(100);
  const report = await deployer.reconcile({ signal: AbortSignal.timeout(300_000) });
  expect(report).toMatchObject({ findings: [], unchecked: [] });
});
