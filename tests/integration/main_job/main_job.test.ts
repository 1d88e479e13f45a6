import { Redis } from "ioredis";
import { expect, inject, test } from "vitest";
import { z } from "zod";
import { ProductionCriteriaNotMetError } from "../../../src/agents/model_deployer/errors.ts";
import {
  act,
  aliases,
  deploy,
  deployer,
  experiment,
  predict,
  promoteToProduction,
  register,
  toShadow,
  untilTheShadowHasShown,
} from "./world.ts";

/** The main job on real MLflow, BentoML, Envoy, Postgres and Redis: what `npm run demo` shows, held to assertions. */

const SESSION = "sess_0123456789abcdef";
const SHORT_ROLLOUT = {
  steps: [
    { weight: 30, bake_seconds: 600 },
    { weight: 100, bake_seconds: 0 },
  ],
};

const CONTRACT = [
  "prediction",
  "probabilities",
  "confidence",
  "model_type",
  "model_version",
  "features_used",
];

test("a version goes from its run to production and back, and every part agrees", async () => {
  const first = await register("v1");
  expect(first).toMatchObject({ version: 1, current_stage: "development" });
  const url = await toShadow(first.model_version_id);
  expect(await aliases(first.model_name)).toEqual({ shadow: "1" });
  await earnsProduction(url, first.model_version_id);
  const firstDeployment = await serves(url, first);

  const second = await register("v2");
  expect(await toShadow(second.model_version_id)).toBe(url);
  await untilTheShadowHasShown(url, second.model_version_id);
  await promoteToProduction(second.model_version_id);
  expect(await aliases(second.model_name)).toMatchObject({ production: "2" });
  const rolling = await takesItsFirstShare(second, firstDeployment);

  const back = await act("rollback", {
    current_deployment_id: rolling,
    rollback_reason: "a person says so",
  });
  expect(back).toMatchObject({ rollback_successful: true, active_deployment_id: firstDeployment });
  const answers = await Promise.all(Array.from({ length: 30 }, (_, index) => predict(url, index)));
  expect(new Set(answers.map((answer) => `${answer.status} ${answer.deployment}`))).toEqual(
    new Set([`200 ${firstDeployment}`]),
  );
  expect(await deployer.database.modelVersions.getProduction(experiment)).toMatchObject({ version: 1 });
  expect(await aliases(first.model_name)).toMatchObject({ production: "1" });
  await isRemembered(second);
  await isInTheHistory(firstDeployment);
});

type Registered = Awaited<ReturnType<typeof register>>;

async function earnsProduction(url: string, model_version_id: string): Promise<void> {
  const unanswered = await predict(url);
  expect(unanswered).toMatchObject({
    status: 503,
    deployment: null,
    body: { error: "no_production_version" },
  });
  const early = act("promote", { model_version_id, target_stage: "production" });
  await expect(early).rejects.toThrow(ProductionCriteriaNotMetError);
  await untilTheShadowHasShown(url, model_version_id);
  const promoted = await promoteToProduction(model_version_id);
  expect(promoted.version_record).toMatchObject({ previous_stage: "shadow", current_stage: "production" });
}

/** @returns the deployment that answers callers */
async function serves(url: string, { model_version_id, model_name }: Registered): Promise<string> {
  const session = { session_id: SESSION, query_id: "qry_0123456789abcdef" };
  const served = await deploy({ model_version_id, target_stage: "production", ...session });
  const deployment = served.deployment_manifest?.deployment_id ?? "";
  expect(served.deployment_manifest).toMatchObject({
    status: "active",
    endpoint_url: url,
    bento_tag: `${model_name}:v1`,
  });
  expect(served.degraded).toEqual([]);
  expect(await predict(url)).toMatchObject({ status: 200, deployment, body: { model_version: "1" } });
  const answered = Object.keys(z.record(z.string(), z.json()).parse((await predict(url)).body));
  expect(answered).toEqual(expect.arrayContaining(CONTRACT));
  const redis = new Redis(inject("redisUrl"));
  const remembered = z
    .json()
    .parse(JSON.parse((await redis.get(`model_deployer:manifest:${SESSION}`)) ?? "{}"));
  redis.disconnect();
  expect(remembered).toMatchObject({ deployment_id: deployment });
  return deployment;
}

/** @returns the deployment that is rolled out */
async function takesItsFirstShare(
  { model_version_id }: Registered,
  before: string,
): Promise<string | undefined> {
  const rolling = await deploy({ model_version_id, target_stage: "production", rollout: SHORT_ROLLOUT });
  const manifest = rolling.deployment_manifest;
  expect(manifest).toMatchObject({ status: "deploying", rollout: { status: "running", step_index: 0 } });
  expect(manifest?.traffic.weights.toSorted((a, b) => a.weight - b.weight)).toEqual([
    { deployment_id: manifest?.deployment_id, weight: 30 },
    { deployment_id: before, weight: 70 },
  ]);
  return manifest?.deployment_id;
}

async function isRemembered(rolledBack: Registered): Promise<void> {
  const signal = AbortSignal.timeout(120_000);
  const episodes = await deployer.parts.episodicMemory.recent(
    { experiment_id: experiment, limit: 50 },
    { signal },
  );
  const kinds = new Set(episodes.map((episode) => episode.event_subtype));
  expect(kinds).toEqual(new Set(["registration", "promotion", "deployment", "rollback", "refusal"]));
  const trigger = `rollback:${rolledBack.model_name}`;
  const learnt = await deployer.parts.proceduralMemory.experience(trigger, { signal });
  expect(learnt).toMatchObject({ usage_count: 1, success_count: 1 });
}

async function isInTheHistory(baseline: string): Promise<void> {
  const history = await deployer.database.history.list(experiment);
  expect(history.filter((event) => event.kind === "rollback").map((event) => event.to_stage)).toEqual([
    "archived",
    "production",
  ]);
  const moved = history.findLast((event) => event.kind === "traffic");
  expect(moved?.evidence).toMatchObject({ live_figures: { baseline: { deployment_id: baseline } } });
}
