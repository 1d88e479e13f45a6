import type { DeploymentManifest } from "../src/agents/model_deployer/domain/answer.ts";
import type { Rollout } from "../src/agents/model_deployer/domain/traffic/rollout.ts";
import { ServiceUnavailableError } from "../src/agents/model_deployer/errors.ts";
import { whenStarterEnds } from "../src/platform/processes/starter.ts";
import { Engineer } from "./actions.ts";
import { printCounts, printHistory } from "./epilogue.ts";
import { Load } from "./load.ts";
import { type Stage, Theatre } from "./stage.ts";
import { story } from "./story.ts";
import { NotYet, until } from "./until.ts";

const CALLERS = { callers: 8, pauseMs: 100 };
/** How fast a busy machine answers tells nothing about a model: latency decides nothing here. */
const JUDGE = { minimum_samples: 20, maximum_latency_ratio: null, maximum_inconclusive_looks: 100_000 };
const ROLLOUT = {
  steps: [
    { weight: 20, bake_seconds: 2 },
    { weight: 50, bake_seconds: 2 },
    { weight: 100, bake_seconds: 0 },
  ],
  judge: JUDGE,
};
/** Stays at its first share for as long as it takes until callers send what it has never seen. */
const CAREFUL_ROLLOUT = {
  steps: [
    { weight: 20, bake_seconds: 3600 },
    { weight: 100, bake_seconds: 0 },
  ],
  judge: JUDGE,
};
const DEMO_POLICY = {
  kind: "demo",
  minimum_shadow_hours: 2 / 3600,
  minimum_shadow_requests: 50,
  maximum_shadow_error_rate: 0.01,
  maximum_shadow_p99_ms: 600_000,
  approvals_for_production: 1,
  reason: "the demo cannot wait for 24 h, so 2 s of shadow stand in for them, and a busy machine may be slow",
} as const;

async function openExperiment({ deployer, experimentId }: Stage): Promise<void> {
  const { experiments } = deployer.database;
  const criteria = { minimum_auc: 0.95, minimum_precision_at_k: 0.85, maximum_fpr: 0.2 };
  const described = { experiment_name: "Breast cancer", prediction_target: "benign" };
  await experiments.create({ experiment_id: experimentId, ...described, ...criteria }, "demo");
  const policy = await experiments.setGatePolicy(experimentId, DEMO_POLICY, "demo");
  story.tell(
    `gate policy ${policy.policy_id} is set, logged and good in a demo database only: ${policy.reason}`,
  );
}

/** Development and staging; returns the version's id. */
async function toStaging(engineer: Engineer, name: string): Promise<string> {
  const versionId = await engineer.register(name);
  await engineer.promote(name, versionId, "staging");
  return versionId;
}

async function toShadow(engineer: Engineer, name: string, versionId: string): Promise<string> {
  await engineer.promote(name, versionId, "shadow");
  return (await engineer.deploy(name, versionId, "shadow")).endpoint_url;
}

async function untilShadowHasShown({ deployer }: Stage, endpointName: string): Promise<void> {
  const { minimum_shadow_requests: requests, minimum_shadow_hours: hours } = DEMO_POLICY;
  await until("the shadow has shown enough", async () => {
    const endpoint = await deployer.database.endpoints.get(endpointName);
    const shadow = endpoint?.mirror_deployment_id ?? null;
    const evidence = shadow === null ? null : await deployer.database.shadowEvidence.read(shadow);
    if (evidence === null) return new NotYet("no evidence");
    const isEnough = evidence.requests >= requests && evidence.hours >= hours && evidence.p99_ms !== null;
    const seconds = (evidence.hours * 3600).toFixed(1);
    return isEnough ? evidence : new NotYet(`${evidence.requests} mirrored requests in ${seconds} s`);
  });
}

/** Prints each change of a rollout until it has ended. @throws ServiceUnavailableError when it ends otherwise */
async function watch(
  stage: Stage,
  engineer: Engineer,
  { endpoint_name, rollout: begun }: DeploymentManifest,
  expected: Rollout["status"],
): Promise<void> {
  const { database } = stage.deployer;
  let generation = -1;
  const ended = await until(`the rollout is ${expected}`, async () => {
    const rollout = await database.rollouts.get(begun?.rollout_id ?? "");
    const endpoint = await database.endpoints.get(endpoint_name);
    if (rollout === null || endpoint === null) return new NotYet("no rollout");
    if (endpoint.observed_generation !== generation && endpoint.observed_generation === endpoint.generation) {
      generation = endpoint.observed_generation;
      const order = [rollout.baseline_deployment_id, rollout.deployment_id];
      const weights = order.map((deployment_id) => ({
        deployment_id,
        weight: endpoint.weights[deployment_id] ?? 0,
      }));
      story.tell(engineer.bar(weights.filter(({ weight }) => weight > 0)));
      if (rollout.verdict) story.detail(`${rollout.verdict.outcome}: ${rollout.verdict.reason}`);
    }
    const isOpen = rollout.status === "running" || rollout.status === "paused";
    return isOpen ? new NotYet(`${rollout.status}, ${rollout.verdict?.reason ?? "no verdict"}`) : rollout;
  });
  const { status, verdict } = ended;
  if (status !== expected)
    throw new ServiceUnavailableError("demo", `the rollout is ${status}: ${verdict?.reason ?? "no verdict"}`);
}

/** Until v1 is in production; returns the callers, who go on, and the endpoint that they ask. */
async function firstVersion(
  stage: Stage,
  engineer: Engineer,
  cleanups: (() => Promise<void>)[],
): Promise<{ load: Load; endpointName: string }> {
  story.chapter("v1: the first version");
  const v1 = await toStaging(engineer, "v1");
  await engineer.deploy("v1", v1, "staging");
  const endpointUrl = await toShadow(engineer, "v1", v1);
  const load = new Load(endpointUrl, { ...CALLERS, rows: stage.rows.usual });
  cleanups.push(() => load.stop());
  load.start();
  story.tell(
    `${CALLERS.callers} callers begin to ask ${endpointUrl}/predict; 503 until a version is in production`,
  );
  const endpoints = await stage.deployer.database.endpoints.list();
  const endpointName = endpoints.find((one) => one.endpoint_url === endpointUrl)?.endpoint_name ?? "";
  await untilShadowHasShown(stage, endpointName);
  await engineer.promoteToProduction("v1", v1);
  await engineer.deploy("v1", v1, "production");
  return { load, endpointName };
}

async function betterVersion(
  stage: Stage,
  engineer: Engineer,
  load: Load,
  endpointName: string,
): Promise<void> {
  story.chapter("v2: a better version, step by step");
  const v2 = await toStaging(engineer, "v2");
  // Nobody asks meanwhile: however slow the machine is, the shadow has shown nothing by then.
  await load.whileQuiet(async () => {
    await toShadow(engineer, "v2", v2);
    await engineer.promoteTooEarly("v2", v2);
  });
  await untilShadowHasShown(stage, endpointName);
  await engineer.promoteToProduction("v2", v2);
  const better = await engineer.deploy("v2", v2, "production", { rollout: ROLLOUT });
  await watch(stage, engineer, better, "completed");
  story.good("rollout of v2: completed");
}

async function brokenVersion(
  stage: Stage,
  engineer: Engineer,
  load: Load,
  endpointName: string,
): Promise<void> {
  story.chapter("v3: good figures, and broken");
  const v3 = await toStaging(engineer, "v3");
  await toShadow(engineer, "v3", v3);
  await untilShadowHasShown(stage, endpointName);
  await engineer.promoteToProduction("v3", v3);
  const broken = await engineer.deploy("v3", v3, "production", { rollout: CAREFUL_ROLLOUT });
  story.tell("a new hospital begins to send larger tumours, which v3 has never seen");
  load.askAbout([...stage.rows.largest, ...stage.rows.usual.slice(0, 3 * stage.rows.largest.length)]);
  await watch(stage, engineer, broken, "rolled_back");
  story.good("rollout of v3: rolled_back");
}

async function perform(stage: Stage, cleanups: (() => Promise<void>)[]): Promise<number> {
  const engineer = new Engineer(stage);
  const ended = new AbortController();
  const working = stage.deployer.worker.run({
    signal: ended.signal,
    onTick: ({ problems }) => {
      for (const problem of problems) story.detail(`worker: ${problem}`);
    },
  });
  cleanups.push(async () => {
    ended.abort();
    await working;
  });
  await openExperiment(stage);

  const { load, endpointName } = await firstVersion(stage, engineer, cleanups);
  await betterVersion(stage, engineer, load, endpointName);
  await brokenVersion(stage, engineer, load, endpointName);

  await load.stop();
  await printHistory(stage, engineer, endpointName);
  return printCounts(load, engineer);
}

async function main(): Promise<number> {
  const theatre = new Theatre();
  const cleanups: (() => Promise<void>)[] = [];
  const cleanUp = async () => {
    const ended = await Promise.allSettled(cleanups.splice(0).map((cleanup) => cleanup()));
    await theatre.strike();
    for (const one of ended) if (one.status === "rejected") story.refused(`clean-up: ${String(one.reason)}`);
  };
  const signalled = new Promise<number>((resolve) => {
    whenStarterEnds(() => {
      resolve(129);
    });
    for (const [signal, code] of [
      ["SIGHUP", 129],
      ["SIGINT", 130],
      ["SIGTERM", 143],
    ] as const) {
      // Stays, since npm passes on what the terminal has sent already, and a second signal must not cut this short.
      process.on(signal, () => {
        resolve(code);
      });
    }
  });
  const interrupted = signalled.then((code) => {
    story.chapter("Interrupted: ending every process");
    return code;
  });
  story.chapter("Setting up");
  try {
    return await Promise.race([theatre.build().then((stage) => perform(stage, cleanups)), interrupted]);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    story.refused(`the demo cannot go on: ${error.name}: ${error.message}`);
    return 1;
  } finally {
    await cleanUp();
    story.tell("every process of the demo has ended");
  }
}

process.exit(await main());
