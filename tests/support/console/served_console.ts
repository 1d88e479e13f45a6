import type { SignIns } from "../../../src/service/people/opened_session.ts";
import { servedInMemory } from "../given/served_in_memory.ts";
import { createApi } from "../../../src/api/api.ts";
import { listen } from "../../../src/api/api_server.ts";
import { builtConsole } from "./built_console.ts";
import {
  act,
  createTestDeployer,
  deploy,
  inProduction,
  promote,
  promoteWithApproval,
  readyForProduction,
  register,
  type TestDeployer,
  TestClock,
} from "../../../src/testing/index.ts";
import { TEST_EXPERIMENT } from "../../../src/testing/test_deployer.ts";

export const TOKENS = { ana: "ana-has-a-long-secret", omar: "omar-has-a-long-secret" };

/** A little more than the stories below take. */
const HOURS_BEFORE = 72.3;
const SECOND_EXPERIMENT = {
  experiment_id: "churn",
  experiment_name: "Churn within a month",
  prediction_target: "churn",
  minimum_auc: 0.8,
  minimum_precision_at_k: 0.5,
  maximum_fpr: 0.2,
};

export interface ServedConsole {
  deployer: TestDeployer;
  url: string;
  close(): Promise<void>;
}

/** The console at an address of its own, over a deployer in memory whose clock has come to the present. */
export async function serveConsole(signIns: SignIns | null = null): Promise<ServedConsole> {
  const start = new Date(Date.now() - HOURS_BEFORE * 3_600_000).toISOString();
  const deployer = await createTestDeployer({
    clock: new TestClock(start),
    experiments: [TEST_EXPERIMENT, SECOND_EXPERIMENT],
    runs: [1, 2, 3, 4, 5].map((number) => ({
      run_id: `run${number}`,
      metrics: {
        test_auc: 0.9 + number / 200,
        test_precision_at_k: 0.8 + number / 50,
        test_fpr: 0.14 - number / 100,
      },
      algorithm: "sklearn",
      models: { model: { "model.bin": `weights of ${number}` } },
    })),
  });
  await deployer.database.principals.enrol("ana", TOKENS.ana);
  const api = createApi({
    ...servedInMemory(deployer),
    signIns,
    onUnexpected: (error) => {
      process.stderr.write(`${String(error)}\n`);
    },
    console: await builtConsole(),
  });
  const server = await listen(api, { host: "127.0.0.1", port: 0 });
  return { deployer, url: server.url, close: () => server.close() };
}

const ROLLOUT = {
  steps: [10, 30, 60, 100].map((weight) => ({ weight, bake_seconds: 120 })),
  judge: { minimum_samples: 20 },
};
const LATENCIES = { p50_ms: 12, p99_ms: 48 };

/** A family with a past, a rollout under way at its second step, and a promotion that waits for an approval. */
export async function givenBusyInstallation(deployer: TestDeployer): Promise<{ waiting: string }> {
  const shadowed = await shadowOfChurn(deployer, "run4");
  await inProduction(deployer, "run1");
  await completedRollout(deployer, "run2");
  await toTheSecondStep(deployer, "run3");
  await givenShadow(deployer, "run5");
  return { waiting: await askForPromotion(deployer, shadowed) };
}

/** A shadow whose scores lean a little, and which decides otherwise now and then. */
async function givenShadow(deployer: TestDeployer, run: string): Promise<void> {
  const version = await register(deployer, run);
  await promote(deployer, version, "staging");
  await promote(deployer, version, "shadow");
  const { deployment_id: shadow } = await deploy(deployer, version, "shadow");
  const endpoint = await deployer.database.endpoints.get("e2i_remission");
  const [production = ""] = Object.entries(endpoint?.weights ?? {})
    .toSorted(([, one], [, other]) => other - one)
    .map(([id]) => id);
  for (let request = 0; request < 300; request += 1) {
    const score = 0.5 + 0.45 * Math.sin(request);
    const other = Math.min(
      0.99,
      Math.max(0.01, score + 0.05 * Math.cos(3 * request) + (request % 41 === 0 ? 0.3 : 0)),
    );
    const line = { request_id: `request-${request}`, answered_at: new Date().toISOString() };
    deployer.predictionLogs.write(production, { ...line, score, prediction: score > 0.5 ? "yes" : "no" });
    deployer.predictionLogs.write(shadow, { ...line, score: other, prediction: other > 0.5 ? "yes" : "no" });
  }
  await deployer.worker.tick();
}

async function begunRollout(deployer: TestDeployer, run: string): Promise<void> {
  const version = await readyForProduction(deployer, run);
  if (run === "run3") deployer.passTime({ seconds: secondsBehind(deployer) - SECONDS_OF_LOOKS });
  await promoteWithApproval(deployer, version);
  await deploy(deployer, version, "production", { rollout: ROLLOUT });
}

async function completedRollout(deployer: TestDeployer, run: string): Promise<void> {
  await begunRollout(deployer, run);
  for (
    let look = 0;
    look < 60 && (await deployer.database.rollouts.getOpen("e2i_remission")) !== null;
    look += 1
  ) {
    await lookOn(deployer, 15);
  }
}

async function toTheSecondStep(deployer: TestDeployer, run: string): Promise<void> {
  await begunRollout(deployer, run);
  for (let look = 0; look < 60; look += 1) {
    const open = await deployer.database.rollouts.getOpen("e2i_remission");
    if (open === null || open.step_index >= 1) break;
    await lookOn(deployer, 10);
  }
  for (let look = 0; look < 4; look += 1) await lookOn(deployer, 10);
}

const SECONDS_OF_LOOKS = 200;
const secondsBehind = ({ clock }: TestDeployer): number => Date.now() / 1000 - clock.read / 1e6;

/** So many seconds of callers, and the worker's look at them; the deployment that is named fails as often as is said. */
export async function lookOn(
  deployer: TestDeployer,
  seconds: number,
  failing: Record<string, number> = {},
): Promise<void> {
  const endpoint = await deployer.database.endpoints.get("e2i_remission");
  const behaviours = Object.fromEntries(
    Object.keys(endpoint?.weights ?? {}).map((id, index) => [
      id,
      { ...LATENCIES, error_rate: failing[id] ?? 0.004 + index / 500 },
    ]),
  );
  deployer.router.sendTraffic("e2i_remission", seconds * 40, behaviours);
  deployer.passTime({ seconds });
  await deployer.worker.tick();
}

async function shadowOfChurn(deployer: TestDeployer, run: string): Promise<string> {
  const version = await register(deployer, run, { experiment_id: "churn" });
  await promote(deployer, version, "staging");
  await promote(deployer, version, "shadow");
  await deploy(deployer, version, "shadow");
  deployer.router.sendTraffic("e2i_churn", 1400, {});
  return version;
}

async function askForPromotion(deployer: TestDeployer, version: string): Promise<string> {
  await deployer.worker.tick();
  await act(deployer, "promote", { model_version_id: version, target_stage: "production" });
  const [waiting] = await deployer.database.overview.openOperations();
  return waiting?.operation_id ?? "";
}
