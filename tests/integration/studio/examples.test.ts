import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { getConfigTypeSchema } from "@langchain/langgraph/zod/schema";
import { expect, inject, test } from "vitest";
import { z } from "zod";
import { authorization } from "../../../src/mlops/mlflow/mlflow_transport.ts";
import { mlflowEnvironment } from "../../../src/wiring/settings/mlflow_settings.ts";
import type { Deployment } from "../../../src/agents/model_deployer/domain/entities.ts";
import { createModelDeployerGraph } from "../../../src/agents/model_deployer/graph.ts";
import {
  approve,
  deploy,
  ENDPOINT,
  errorOf,
  givenDeployer,
  type GivenDeployer,
  givenInProduction,
  promote,
  turnBackActivation,
} from "../../support/given/given_deployer.ts";
import { startDevelopmentServer } from "./development_server.ts";
import { standsIn } from "./standing_server.ts";

const exampleSchema = z.strictObject({
  assistant: z.enum(["pipeline", "model_deployer"]),
  shows: z.string(),
  input: z.looseObject({ deployment_action: z.string() }),
  context: z.strictObject({ effects: z.enum(["live", "dry-run"]) }),
});
const actionSchema = z.object({ enum: z.array(z.string()) });
const formSchema = z.object({ properties: z.record(z.string(), z.unknown()) });
const effectsField = { effects: { type: "string", enum: ["live", "dry-run"] } };

async function example(name: string) {
  return exampleSchema.parse(JSON.parse(await readFile(`examples/studio/${name}.json`, "utf8")));
}

async function exampleActions(): Promise<string[]> {
  return Promise.all(names.map(async (name) => (await example(name)).input.deployment_action));
}

/** A finished run of the real MLflow, for the one id that nobody can know beforehand. */
async function finishedRun(): Promise<string> {
  const { mlflowUrl, mlflowAuth } = inject("mlflow");
  const call = async (path: string, body: object) => {
    const answer = await fetch(`${mlflowUrl}/api/2.0/mlflow/${path}`, {
      method: "POST",
      headers: { ...authorization(mlflowAuth), "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return z.looseObject({}).parse(await answer.json());
  };
  const created = await call("runs/create", { experiment_id: "0", start_time: Date.now() });
  const { run } = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) }).parse(created);
  await call("runs/update", { run_id: run.info.run_id, status: "FINISHED", end_time: Date.now() });
  return run.info.run_id;
}

/** In an order in which each example finds what it builds upon; the last two each end the rollout that is retried. */
const names = [
  "register",
  "promote",
  "deploy",
  "restart",
  "update",
  "remove",
  "promote_to_production",
  "deploy_to_production",
  "pause",
  "resume",
  "rollback",
  "retry",
  "abort",
  "promote_now",
];
const withApproval = new Set(["promote_to_production", "promote_now", "retry"]);

/** The same live, beside the development server, so that the next example finds what it builds upon. */
async function carryOut(given: GivenDeployer, name: string): Promise<void> {
  const { prediction_request: _, ...input } = (await example(name)).input;
  const request = name === "register" ? { ...input, mlflow_run_id: "run2" } : input;
  if (!withApproval.has(name)) {
    await given.agent.execute(request);
    return;
  }
  const waiting = await errorOf(given.agent.execute(request));
  expect(waiting.code, `${name}: ${waiting.message}`).toBe("approval_required");
  await approve(given, String(waiting.details["operation_id"]));
  await given.agent.execute(request);
}

/** A day under mirrored traffic, which no example can bring about. */
async function throughShadow(given: GivenDeployer, version: string): Promise<void> {
  await promote(given, version, "shadow");
  const { deployment_id } = await deploy(given, version, "shadow");
  given.router.sendTraffic(ENDPOINT, 1000);
  await turnBackActivation(given, deployment_id, "24 hours");
  await given.worker.tick();
}

/** The candidate of the rollout under way. */
async function candidate({ db }: GivenDeployer): Promise<Deployment> {
  const rollout = await db.history.lastRollout(ENDPOINT);
  const deployment = await db.deployments.get(rollout?.deployment_id ?? "");
  return deployment ?? expect.fail("nothing is rolled out");
}

const written = (given: GivenDeployer) =>
  given.world.sql(
    "select (select count(*) from ml_operations) as operations, (select count(*) from ml_stage_history) as moves, (select count(*) from ml_deployments) as deployments",
  );

test("the graph says what its context takes", () => {
  const graph = createModelDeployerGraph(() => Promise.reject(new TypeError("nothing is asked")));
  const { properties } = formSchema.parse(getConfigTypeSchema(graph));
  expect(properties).toMatchObject({ effects: { enum: ["live", "dry-run"] } });
});

test("Studio makes forms of both graphs, shows their subgraphs, and every example works there", async () => {
  const given = await givenDeployer();
  await givenInProduction(given, "run1");
  const { client, home } = await startDevelopmentServer({
    DATABASE_URL: given.world.url,
    REDIS_URL: inject("redisUrl"),
    ...mlflowEnvironment(inject("mlflow")),
  });
  for (const assistant of await client.assistants.search()) {
    const schemas = await client.assistants.getSchemas(assistant.assistant_id);
    for (const context of [schemas.context_schema, schemas.config_schema])
      expect(formSchema.parse(context).properties).toMatchObject(effectsField);
    for (const of of [schemas.state_schema, schemas.output_schema])
      expect(Object.keys(formSchema.parse(of).properties)).toContain("deployment_manifest");
    const state = formSchema.parse(schemas.input_schema).properties;
    const { enum: actions } = actionSchema.parse(state["deployment_action"]);
    expect(new Set(actions)).toEqual(new Set(await exampleActions()));
    const subgraphs = await client.assistants.getSubgraphs(assistant.assistant_id, { recurse: true });
    const below = assistant.graph_id === "pipeline" ? "model_deployer|deploy" : "deploy";
    expect(Object.keys(subgraphs)).toContain(below);
  }

  expect((await readdir("examples/studio")).toSorted()).toEqual(
    names.map((name) => `${name}.json`).toSorted(),
  );
  const run = await finishedRun();
  const operation = createHash("sha256").update("req:studio-register").digest("hex").slice(0, 24);
  for (const name of names) {
    if (name === "promote_to_production") await throughShadow(given, `mv_${operation}`);
    const before = await written(given);
    const { assistant, input, context } = await example(name);
    const asked = name === "register" ? { ...input, mlflow_run_id: run } : input;
    const answer = await client.runs.wait(null, assistant, { input: asked, context });
    expect(answer, name).toMatchObject({ status: "completed", errors: [], deployment_plan: {} });
    expect(answer, name).toHaveProperty(
      "warnings",
      expect.arrayContaining(["Dry run: nothing was changed."]),
    );
    expect(await written(given)).toEqual(before);
    if (name !== "abort") await carryOut(given, name);
    if (name === "retry") await standsIn(home, await candidate(given));
  }
});
