import { manifestOf } from "../src/agents/model_deployer/domain/manifest.ts";
import type { Rollout } from "../src/agents/model_deployer/domain/rollout.ts";
import { Engineer } from "./actions.ts";
import { Load } from "./load.ts";
import { type Stage, Theatre } from "./stage.ts";
import { story } from "./story.ts";
import { until } from "./until.ts";

const REQUESTS_PER_SECOND = 30;
const ROLLOUT = {
  steps: [
    { weight: 20, bake_seconds: 3 },
    { weight: 50, bake_seconds: 3 },
    { weight: 100, bake_seconds: 0 },
  ],
  judge: { minimum_samples: 20 },
};
const DEMO_POLICY = {
  kind: "demo",
  minimum_shadow_hours: 12 / 3600,
  minimum_shadow_requests: 200,
  maximum_shadow_error_rate: 0.01,
  maximum_shadow_p99_ms: 2000,
  approvals_for_production: 1,
  reason:
    "the demo cannot wait for 24 h, so 12 s of shadow stand in for them, and 2 s of latency are allowed on a busy machine",
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

/** Development, staging, shadow; returns the version's id. */
async function toShadow(
  engineer: Engineer,
  name: string,
): Promise<{ versionId: string; endpointUrl: string }> {
  const versionId = await engineer.register(name);
  await engineer.promote(name, versionId, "staging");
  await engineer.deploy(name, versionId, "staging");
  await engineer.promote(name, versionId, "shadow");
  const manifest = await engineer.deploy(name, versionId, "shadow");
  return { versionId, endpointUrl: manifest.endpoint_url };
}

async function untilShadowHasShown(stage: Stage, endpointName: string): Promise<void> {
  await until("the shadow has shown enough", 120_000, async () => {
    const endpoint = await stage.deployer.database.endpoints.get(endpointName);
    const shadow = endpoint?.mirror_deployment_id ?? null;
    const evidence = shadow === null ? null : await stage.deployer.database.shadowEvidence.read(shadow);
    return evidence !== null && evidence.requests >= 250 && evidence.hours * 3600 >= 12.5;
  });
}

/** Prints each change of a rollout until it has ended. */
async function watch(stage: Stage, engineer: Engineer, endpointName: string): Promise<Rollout["status"]> {
  const { database } = stage.deployer;
  const open = await database.rollouts.getOpen(endpointName);
  if (open === null) return "completed";
  let generation = -1;
  return until("the rollout ends", 180_000, async () => {
    const rollout = await database.rollouts.get(open.rollout_id);
    const endpoint = await database.endpoints.get(endpointName);
    if (
      endpoint !== null &&
      endpoint.observed_generation !== generation &&
      endpoint.observed_generation === endpoint.generation
    ) {
      generation = endpoint.observed_generation;
      const order = [open.baseline_deployment_id, open.deployment_id];
      const weights = order.map((deployment_id) => ({
        deployment_id,
        weight: endpoint.weights[deployment_id] ?? 0,
      }));
      story.tell(engineer.bar(weights.filter(({ weight }) => weight > 0)));
      if (rollout?.verdict) story.detail(`${rollout.verdict.outcome}: ${rollout.verdict.reason}`);
    }
    const isOpen = rollout?.status === "running" || rollout?.status === "paused";
    return rollout === null || isOpen ? null : rollout.status;
  });
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

  story.chapter("v1: the first version");
  const v1 = await toShadow(engineer, "v1");
  const load = new Load(v1.endpointUrl, { perSecond: REQUESTS_PER_SECOND, rows: stage.rows.usual });
  cleanups.push(() => load.stop());
  load.start();
  story.tell(
    `callers begin: ${REQUESTS_PER_SECOND} requests/s to ${v1.endpointUrl}/predict; 503 until a version is in production`,
  );
  const endpointName =
    (await stage.deployer.database.endpoints.list()).find((one) => one.endpoint_url === v1.endpointUrl)
      ?.endpoint_name ?? "";
  await untilShadowHasShown(stage, endpointName);
  await engineer.promoteToProduction("v1", v1.versionId);
  await engineer.deploy("v1", v1.versionId, "production");

  story.chapter("v2: a better version, step by step");
  const v2 = await toShadow(engineer, "v2");
  await engineer.promoteTooEarly("v2", v2.versionId);
  await untilShadowHasShown(stage, endpointName);
  await engineer.promoteToProduction("v2", v2.versionId);
  await engineer.deploy("v2", v2.versionId, "production", { rollout: ROLLOUT });
  story.good(`rollout of v2: ${await watch(stage, engineer, endpointName)}`);

  story.chapter("v3: good figures, and broken");
  const v3 = await toShadow(engineer, "v3");
  await untilShadowHasShown(stage, endpointName);
  await engineer.promoteToProduction("v3", v3.versionId);
  await engineer.deploy("v3", v3.versionId, "production", { rollout: ROLLOUT });
  story.tell("a new hospital begins to send larger tumours, which v3 has never seen");
  load.askAbout([...stage.rows.largest, ...stage.rows.usual.slice(0, 3 * stage.rows.largest.length)]);
  story.good(`rollout of v3: ${await watch(stage, engineer, endpointName)}`);

  await load.stop();
  await printHistory(stage, engineer, endpointName);
  return printCounts(load, engineer);
}

async function printHistory(
  { deployer, experimentId }: Stage,
  engineer: Engineer,
  endpointName: string,
): Promise<void> {
  story.chapter("What was in production, and why");
  const versions = new Map(
    (await deployer.database.modelVersions.list(experimentId)).map((one) => [
      one.model_version_id,
      `v${one.version}`,
    ]),
  );
  for (const event of await deployer.database.history.list(experimentId)) {
    const head = `${event.occurred_at.slice(11, 23)}  ${event.kind.replace("rollout_", "rollout ").padEnd(20)}`;
    const by = `by ${event.changed_by}: ${event.reason}`;
    if (event.weights !== null) {
      const shares = Object.entries(event.weights).map(
        ([id, weight]) => `${versions.get(id) ?? engineer.nameOf(id)} ${weight} %`,
      );
      story.detail(
        `${head}${event.endpoint_name} generation ${event.generation}: ${shares.join(", ") || "none"}`,
      );
      continue;
    }
    const moved = event.to_stage === null ? "" : ` ${event.from_stage ?? "none"} -> ${event.to_stage}`;
    story.detail(`${head}${versions.get(event.model_version_id ?? "") ?? ""}${moved} ${by}`);
  }
  const production = await deployer.database.modelVersions.getProduction(experimentId);
  story.good(
    `in production now: ${production === null ? "nothing" : `${production.model_name} version ${production.version}`}`,
  );
  const endpoint = await deployer.database.endpoints.get(endpointName);
  const serving = await deployer.database.deployments.get(Object.keys(endpoint?.weights ?? {})[0] ?? "");
  if (endpoint === null || serving === null) return;
  story.chapter("Its manifest");
  const manifest = JSON.stringify(manifestOf(serving, endpoint, null), null, 2);
  story.detail(manifest.replaceAll("\n", "\n          "));
}

function printCounts({ counts }: Load, engineer: Engineer): number {
  story.chapter("Requests");
  const shares = Object.entries(counts.by_deployment).map(([id, count]) => `${engineer.nameOf(id)} ${count}`);
  story.tell(`sent ${counts.sent}, answered ${counts.answered}, lost ${counts.lost}`);
  story.detail(`before there was a production version (503, by design): ${counts.without_version}`);
  story.detail(
    `by version: ${shares.join(", ")}; 5xx from a version: ${counts.failed}, all of them the broken v3's`,
  );
  return counts.lost === 0 ? 0 : 1;
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
    for (const [signal, code] of [
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
