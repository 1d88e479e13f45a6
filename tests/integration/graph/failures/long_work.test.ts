import { chmod, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { LongCallOptions } from "../../../../src/agents/model_deployer/ports/call_options.ts";
import { statusReportSchema } from "../../../../src/service/report_schemas.ts";
import { listProcesses, stopProcess } from "../../../../src/platform/processes/managed_process.ts";
import {
  ensureModelEnvironment,
  hasModelEnvironment,
} from "../../../../src/platform/python/python_environment.ts";
import { InMemoryModelPackager, InMemoryModelServer, pollUntil } from "../../../../src/testing/index.ts";
import type { TickReport } from "../../../../src/worker/tick_report.ts";
import { cli, documentOf } from "../../../support/given/given_cli.ts";
import {
  createFakes,
  deploy,
  ENDPOINT,
  givenDeployer,
  givenInProduction,
  promote,
  register,
} from "../../../support/given/given_deployer.ts";

const signal = new AbortController().signal;
const until = <T>(look: () => Promise<T> | T, what: string) => pollUntil(look, { what, deadlineMs: 240_000 });

/** Bentos in memory, whose environments are really made, by an installer that waits for a file where the model is `v2`. */
class PackagerWithEnvironments extends InMemoryModelPackager {
  readonly #directory: string;

  constructor(directory: string) {
    super();
    this.#directory = directory;
  }

  override async isServable(bentoTag: string): Promise<boolean> {
    return (await super.findPackage(bentoTag)) !== null && hasModelEnvironment(this.#options(bentoTag));
  }

  override async prepareServing(bentoTag: string, options: LongCallOptions): Promise<void> {
    await ensureModelEnvironment({ ...this.#options(bentoTag), ...options });
  }

  #options(bentoTag: string) {
    const requirements = [bentoTag.endsWith(":v2") ? "slow" : "quick"];
    // Resolved as a packaged bento is.
    const lock = { python: "3", builds: false, packages: `${requirements.join("\n")}\n` };
    return { cacheDirectory: this.#directory, requirements, lock, uv: join(this.#directory, "uv") };
  }
}

async function givenSlowEnvironments() {
  const directory = await realpath(await mkdtemp(join(tmpdir(), "model-deployer-long-")));
  const jobs = join(directory, "environments", "jobs");
  onTestFinished(async () => {
    for (const { name } of await listProcesses(jobs)) await stopProcess(jobs, name, { graceMs: 0 });
    await rm(directory, { recursive: true, maxRetries: 3 });
  });
  const uv = join(directory, "uv");
  const lines = [
    "#!/bin/sh",
    `cd ${directory}`,
    'if [ "$1" = venv ]; then',
    '  for last; do :; done; mkdir -p "$last/bin"; ln -s "$(command -v python3)" "$last/bin/python"; exit 0',
    "fi",
    "for last; do :; done",
    'grep -q slow "$last" || exit 0',
    "echo begun >> starts",
    'echo "Resolved 123 packages in 1s"',
    "while [ ! -e go ]; do sleep 0.05; done",
  ];
  await writeFile(uv, `${lines.join("\n")}\n`);
  await chmod(uv, 0o755);
  const packager = new PackagerWithEnvironments(directory);
  const fakes = { ...createFakes(), packager, server: new InMemoryModelServer(packager) };
  const given = await givenDeployer({ fakes, settings: { patience_seconds: 8, reconcile_seconds: 1 } });
  return {
    given,
    directory,
    finishInstalling: () => writeFile(join(directory, "go"), ""),
    /** Empty before the installer has begun. */
    installs: async () => {
      const text = await readFile(join(directory, "starts"), "utf8").catch(() => "");
      return text.split("\n").filter((line) => line !== "");
    },
  };
}

/** A version at shadow, and the request that serves it there. */
async function givenAtShadow(given: Awaited<ReturnType<typeof givenDeployer>>) {
  const candidate = await register(given, "run2");
  await promote(given, candidate, "staging");
  await promote(given, candidate, "shadow");
  const request = {
    deployment_action: "deploy",
    model_version_id: candidate,
    target_stage: "shadow",
  } as const;
  return { candidate, request };
}

test("an environment takes longer than an answer: the endpoint is free meanwhile, and a worker ends what was asked", async () => {
  const { given, directory, finishInstalling, installs } = await givenSlowEnvironments();
  const { deployment } = await givenInProduction(given, "run1");
  const { request } = await givenAtShadow(given);
  const answer = await given.agent.execute(request);
  expect(answer).toMatchObject({ status: "in_progress", deployment_manifest: { status: "deploying" } });
  const underWay = /Under way: the environment for .*slow.* s of at most 3600 s/;
  await until(
    async () => underWay.test((await given.agent.execute(request)).warnings.join(" ")),
    "an answer that names what is under way",
  );

  const ended = new AbortController();
  const reports: TickReport[] = [];
  const working = given.worker.run({ signal: ended.signal, idleMs: 20, onTick: (one) => reports.push(one) });
  onTestFinished(async () => {
    ended.abort();
    await working;
  });
  const told = () => reports.flatMap(({ progress }) => progress);
  const fetching = /^op_\w+: the environment for .*: fetching 123 packages, \d+ s of at most 3600 s$/;
  await until(() => told().some((line) => fetching.test(line)), "the worker's line about the environment");

  given.server.crash(deployment);
  await until(async () => (await given.server.observe(deployment, { signal })).state === "ready", "a repair");

  const environment = { MODEL_DEPLOYER_CACHE: directory };
  const { data } = await documentOf(given, statusReportSchema, ["status"], environment);
  expect(data.under_way).toMatchObject([{ doing: "fetching 123 packages", limit_seconds: 3600 }]);
  expect(data.endpoints[0]?.operations).toMatchObject([
    { status: "preparing", operation_id: answer.operation_id },
  ]);
  expect((await cli(given, ["status"], environment)).out).toMatch(
    /making +the environment for .*fetching 123/,
  );

  const again = given.agent.execute(request);
  expect(await again).toMatchObject({ status: "in_progress", operation_id: answer.operation_id });

  await finishInstalling();
  const mirror = async () => (await given.db.endpoints.get(ENDPOINT))?.mirror_deployment_id ?? null;
  expect(await until(mirror, "the deployment")).toBe(answer.deployment_manifest?.deployment_id);
  await until(() => reports.some(({ resumed }) => resumed.length > 0), "its end");
  expect(reports.flatMap(({ resumed }) => resumed)).toMatchObject([{ outcome: "finished" }]);
  expect(reports.flatMap(({ problems }) => problems)).toEqual([]);
  expect(await installs()).toEqual(["begun"]);
}, 600_000);

test("a worker that is told to end does not wait for an environment, which goes on without it", async () => {
  const { given, finishInstalling, installs } = await givenSlowEnvironments();
  await givenInProduction(given, "run1");
  const { candidate, request } = await givenAtShadow(given);
  expect(await given.agent.execute(request)).toMatchObject({ status: "in_progress" });
  const ended = new AbortController();
  const told: string[] = [];
  await given.worker.run({
    signal: ended.signal,
    idleMs: 20,
    onTick: ({ progress }) => {
      told.push(...progress);
      if (told.length > 0) ended.abort();
    },
  });
  await until(async () => (await installs()).length > 0, "the installer");
  await finishInstalling();
  expect(await deploy(given, candidate, "shadow")).toMatchObject({ status: "active" });
  expect(await installs()).toEqual(["begun"]);
}, 600_000);
