import { readdir } from "node:fs/promises";
import { expect, inject, test } from "vitest";
import { z } from "zod";
import { mlflowEnvironment } from "../../../src/wiring/settings/mlflow_settings.ts";
import { approvalQuestionSchema, progressSchema } from "../../../src/agents/model_deployer/state/state.ts";
import { enrolOperatingUser } from "../../support/given/enrolled_user.ts";
import {
  approve,
  givenDeployer,
  type GivenDeployer,
  givenReadyForProduction,
} from "../../support/given/given_deployer.ts";
import { type DevelopmentServer, startDevelopmentServer } from "./development_server.ts";

const live = { effects: "live" };
const answerSchema = z.object({
  status: z.string(),
  operation_id: z.string().nullish(),
  version_record: z.object({ current_stage: z.string() }).nullish(),
  warnings: z.array(z.string()),
  errors: z.array(z.object({ code: z.string(), message: z.string() })),
});

async function serverOver(given: GivenDeployer): Promise<DevelopmentServer> {
  return startDevelopmentServer({
    DATABASE_URL: given.world.url,
    REDIS_URL: inject("redisUrl"),
    ...mlflowEnvironment(inject("mlflow")),
  });
}

/** Everything that an action could change, but for evidence that is only counted. */
async function outside(given: GivenDeployer, server: DevelopmentServer): Promise<unknown> {
  const tables = ["operations", "approvals", "model_registry", "deployments", "endpoints", "stage_history"];
  const rows = await Promise.all(
    tables.map((table) => given.world.sql(`select * from ml_${table} as t order by t::text`)),
  );
  const files = await readdir(server.home).catch(() => []);
  return { rows, files: files.filter((name) => name === "router" || name === "run") };
}

test("a live thread waits, refuses, goes on once; its replays and forks change nothing outside", async () => {
  const given = await givenDeployer();
  await enrolOperatingUser(given.db);
  const version = await givenReadyForProduction(given, "run1");
  await given.worker.tick();
  const server = await serverOver(given);
  const studio: Studio = {
    given,
    server,
    version,
    input: { deployment_action: "promote", model_version_id: version, target_stage: "production" },
  };
  await dryRunChangesNothing(studio);

  const { thread_id } = await server.client.threads.create({ graphId: "pipeline" });
  const approval = await waitsForItsApproval(studio, thread_id);
  const done = await goesOn(studio, thread_id, approval);
  expect(done).toMatchObject({ status: "completed", version_record: { current_stage: "production" } });
  expect((await given.db.modelVersions.get(version))?.stage).toBe("production");
  const checkpoint = await replayAnswersTheSame(studio, thread_id, done.operation_id);
  await forkIsRefused(studio, thread_id, checkpoint);
});

interface Studio {
  given: GivenDeployer;
  server: DevelopmentServer;
  version: string;
  input: Record<string, string>;
}

async function dryRunChangesNothing({ given, server, input }: Studio): Promise<void> {
  const { threads, runs } = server.client;
  const begun = await outside(given, server);
  const dry = await threads.create({ graphId: "pipeline" });
  const events: unknown[] = [];
  const stream = runs.stream(dry.thread_id, "pipeline", {
    input,
    streamMode: ["custom", "updates"],
    streamSubgraphs: true,
  });
  for await (const { event, data } of stream) {
    if (event.startsWith("custom")) events.push(data);
    else expect(event, JSON.stringify(data)).not.toBe("error");
  }
  expect(progressSchema.array().parse(events)).toMatchObject([{ event: "planned", operation_id: null }]);
  const planned = answerSchema.parse((await threads.getState(dry.thread_id)).values);
  expect(planned).toMatchObject({ status: "completed", operation_id: null, errors: [] });
  expect(planned.warnings).toContain("Dry run: nothing was changed.");
  expect(await outside(given, server)).toEqual(begun);
}

/** @returns the approval that is given meanwhile, and which no other word stands for */
async function waitsForItsApproval({ given, server, input }: Studio, thread_id: string): Promise<string> {
  const { threads, runs } = server.client;
  const question = async () => {
    const { tasks } = await threads.getState(thread_id);
    return approvalQuestionSchema.parse(tasks.flatMap((task) => task.interrupts)[0]?.value);
  };
  await runs.wait(thread_id, "pipeline", { input, context: live });
  const asked = await question();
  expect(asked).toMatchObject({ refused: null, plan: { approvals_needed: 1 } });
  expect(asked.evidence).toMatchObject({ shadow: { requests: 1000 }, metrics: { test_auc: 0.9 } });

  const { approval_id } = await approve(given, asked.operation_id);
  for (const resume of [true, "yes", { approval_id: "approval_made_up" }]) {
    await runs.wait(thread_id, "pipeline", { command: { resume }, context: live });
    expect((await question()).refused).toMatch(/nothing else approves|no valid approval/);
  }
  return approval_id;
}

/** Of the thread itself; a copy of it, resumed without effects, changes nothing. */
async function goesOn({ given, server }: Studio, thread_id: string, approval_id: string) {
  const { threads, runs } = server.client;
  const command = { resume: { approval_id } };
  const waiting = await outside(given, server);
  const copy = await threads.copy(thread_id);
  await runs.wait(copy.thread_id, "pipeline", { command });
  expect(await outside(given, server)).toEqual(waiting);
  return answerSchema.parse(await runs.wait(thread_id, "pipeline", { command, context: live }));
}

/** @returns the checkpoint before the deployer's turn, from which it was run again */
async function replayAnswersTheSame(
  { given, server }: Studio,
  thread_id: string,
  operation_id: string | null | undefined,
): Promise<string> {
  const { threads, runs } = server.client;
  const finished = await outside(given, server);
  const history = await threads.getHistory(thread_id, { limit: 50 });
  const before = history.findLast((state) => state.next.includes("model_deployer"));
  const checkpointId = before?.checkpoint.checkpoint_id ?? expect.fail("the deployer never came next");
  const again = await runs.wait(thread_id, "pipeline", { input: null, checkpointId, context: live });
  expect(answerSchema.parse(again)).toMatchObject({
    operation_id,
    version_record: { current_stage: "production" },
    errors: [],
  });
  expect(await outside(given, server)).toEqual(finished);
  return checkpointId;
}

async function forkIsRefused({ given, server, version }: Studio, thread_id: string, checkpointId: string) {
  const { threads, runs } = server.client;
  const finished = await outside(given, server);
  const values = { target_stage: "archived", model_version_id: version };
  await threads.updateState(thread_id, { values, checkpointId });
  const fork = await threads.getState(thread_id);
  expect(fork.next).toEqual(["model_deployer"]);
  const forkId = z.string().parse(fork.checkpoint.checkpoint_id);
  const refused = await runs.wait(thread_id, "pipeline", {
    input: null,
    checkpointId: forkId,
    context: live,
  });
  const [refusal] = answerSchema.parse(refused).errors;
  expect(refusal).toMatchObject({ code: "fork_refused" });
  expect(refusal?.message).toContain("taken for a fork of it and nothing is changed");
  await runs.wait(thread_id, "pipeline", { input: null, checkpointId: forkId });
  expect(await outside(given, server)).toEqual(finished);
}
