import { copyFile, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { z } from "zod";
import { mlflowEnvironment } from "../../../src/wiring/settings/mlflow_settings.ts";
import { createWorld } from "../database/world.ts";
import { childEnvironment } from "../../../src/platform/processes/child_environment.ts";
import { createConsumer, installKitEngine, root, run } from "./consumer.ts";

const reportSchema = z.object({ success: z.boolean(), numPassedTests: z.int() });

let project: string;
let files: string[];

beforeAll(async () => {
  ({ project, files } = await createConsumer());
}, 600_000);

afterAll(() => rm(project, { recursive: true, force: true }));

/** Compiles a module of the project as strictly as this one is. */
async function compile(name: string): Promise<void> {
  const options = ["--strict", "--exactOptionalPropertyTypes", "--skipLibCheck", "--types", "node"];
  const target = ["--module", "nodenext", "--target", "es2024"];
  await run("node_modules/.bin/tsc", [...options, ...target, `${name}.ts`], project);
}

async function compileAndRun(name: string, extra: Record<string, string> = {}): Promise<string> {
  await compile(name);
  return run(process.execPath, [`${name}.js`, "mv_1"], project, extra);
}

describe("the package", () => {
  it("holds compiled code, types and what the code reads beside it, and no sources or tests", () => {
    expect(files).toEqual(
      expect.arrayContaining([
        "dist/index.js",
        "dist/index.d.ts",
        "dist/ports.d.ts",
        "dist/errors.js",
        "dist/testing/index.d.ts",
        "dist/testing/contracts/index.js",
        "schemas/request.schema.json",
        "dist/database/migrations/0001_experiments_and_models.sql",
        "dist/memory/migrations/0001_memories.sql",
        "dist/mlops/bentoml/service_template/service.py",
        "dist/mlops/bentoml/service_template/bentofile.yaml",
        "dist/platform/processes/launcher.py",
      ]),
    );
    expect(files.filter((path) => /^(src|tests|demo|bench)\//.test(path))).toEqual([]);
  });

  it("lets a graph of somebody else's end in a typed error, without a service", async () => {
    await writeFile(
      join(project, "consumer.ts"),
      `import { END, START, StateGraph } from "@langchain/langgraph";
import { createLazyModelDeployer, ModelDeployerState, readConfiguration } from "model-deployer";
import { ModelDeployerError } from "model-deployer/errors";
import type { ModelServer } from "model-deployer/ports";

const { agent } = createLazyModelDeployer(readConfiguration({}));
const graph = new StateGraph(ModelDeployerState)
  .addNode("model_deployer", agent.asNode(), { subgraphs: [agent.graph] })
  .addEdge(START, "model_deployer")
  .addEdge("model_deployer", END)
  .compile();
const { status, errors } = await graph.invoke({ deployment_action: "deploy", target_stage: "moon" });
const thrown = await agent.execute({ deployment_action: "explode" }).catch((error: unknown) => error);
const stop: keyof ModelServer = "stop";
const typed = thrown instanceof ModelDeployerError;
console.log(JSON.stringify({ status, code: errors?.[0]?.code, typed, stop }));
`,
    );
    expect(JSON.parse(await compileAndRun("consumer"))).toEqual({
      status: "failed",
      code: "invalid_request",
      typed: true,
      stop: "stop",
    });
  });

  it("names what is missing where npm left the optional engines out", async () => {
    await writeFile(
      join(project, "engines.mjs"),
      `const dist = (path) => import("./node_modules/model-deployer/dist/" + path);
const { locatePostgres } = await dist("platform/services/postgres_binaries.js");
const { startTracing } = await dist("telemetry/otlp_tracing.js");
const { createTestDeployer } = await dist("testing/index.js");
const said = (work) => work.catch((error) => error.code + ": " + error.message);
console.log(await said(locatePostgres()));
console.log(await said(startTracing({ endpoint: "http://127.0.0.1:9", serviceName: "none" })));
console.log(await said(createTestDeployer()));
`,
    );
    const output = await run(process.execPath, ["engines.mjs"], project);
    const [postgres, traces, kit] = output.split("\n");
    expect(postgres).toMatch(/^configuration: .*embedded Postgres.*set DATABASE_URL/);
    expect(traces).toMatch(/^configuration: OTEL_EXPORTER_OTLP_ENDPOINT asks.*optional dependencies/);
    expect(kit).toMatch(/^configuration: @electric-sql\/pglite is not installed.*npm install --save-dev/);
  });

  it("has a command line that works from anywhere, and types its errors", async () => {
    const cli = async (words: string[], extra: Record<string, string> = {}) => {
      const options = {
        cwd: project,
        env: childEnvironment(extra),
        extendEnv: false,
        reject: false,
      } as const;
      const command = ["--no-install", "model-deployer", ...words];
      const { exitCode, stdout, stderr } = await execa("npx", command, { ...options, timeout: 600_000 });
      return { exitCode, stdout, stderr };
    };
    expect(await cli(["--help"])).toMatchObject({ exitCode: 0, stderr: "" });
    const world = await createWorld();
    const home = {
      MODEL_DEPLOYER_HOME: join(project, "home"),
      MODEL_DEPLOYER_CACHE: inject("cacheDirectory"),
    };
    const services = { REDIS_URL: inject("redisUrl"), ...mlflowEnvironment(inject("mlflow")) };
    const there = {
      ...home,
      ...services,
      DATABASE_URL: world.url,
      SUPABASE_URL: "http://127.0.0.1:9",
      SUPABASE_KEY: "none",
    };
    expect(await cli(["status"], there)).toMatchObject({
      exitCode: 0,
      stdout: "no endpoint is open",
      stderr: "",
    });
    const doctor = await cli(["doctor", "--json"], there);
    expect(doctor).toMatchObject({ exitCode: 6, stderr: "" });
    expect(JSON.parse(doctor.stdout)).toMatchObject({ command: "doctor" });
    const nowhere = { ...there, DATABASE_URL: "postgres://nobody@127.0.0.1:9/none" };
    const lost = await cli(["status", "--json"], nowhere);
    expect(lost).toMatchObject({ exitCode: 6, stderr: "" });
    expect(JSON.parse(lost.stdout)).toMatchObject({ error: { code: "service_unavailable" } });

    const bin = join(project, "node_modules", ".bin", "model-deployer");
    const worker = execa(bin, ["worker", "--json"], {
      cwd: project,
      env: childEnvironment(there),
      extendEnv: false,
      reject: false,
      timeout: 600_000,
    });
    const events: unknown[] = [];
    for await (const line of worker) {
      events.push(JSON.parse(line));
      worker.kill("SIGTERM");
    }
    expect((await worker).exitCode).toBe(0);
    expect(events).toMatchObject([{ event: "started" }, { event: "stopped" }]);
  });

  it("compiles and runs the README's test with mock state, without a service", async () => {
    await installKitEngine(project);
    await copyFile(join(root, "examples", "mock_state.ts"), join(project, "mock_state.ts"));
    expect(await compileAndRun("mock_state")).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it("compiles and runs an agent of somebody else's with a memory, without a service", async () => {
    await copyFile(join(root, "examples", "own_agent.ts"), join(project, "own_agent.ts"));
    const sentence = "episodic memory does not tell what happened to the endpoint: supabase is down";
    expect(await compileAndRun("own_agent")).toBe(sentence);
  });

  it("lets an adapter of somebody else's prove itself by the contract suite", async () => {
    const name = "own_memory.test";
    await copyFile(join(root, "examples", `${name}.ts`), join(project, `${name}.ts`));
    // Of the project's own: its compiler comes as an optional package, and those were left out.
    await symlink(join(root, "node_modules", "vitest"), join(project, "node_modules", "vitest"));
    await compile(name);
    const runner = ["node_modules/vitest/vitest.mjs", "run", "--reporter=json", "--outputFile=report.json"];
    await run(process.execPath, [...runner, `${name}.js`], project);
    const report = await readFile(join(project, "report.json"), "utf8");
    const { numPassedTests, success } = reportSchema.parse(JSON.parse(report));
    expect(success).toBe(true);
    expect(numPassedTests).toBeGreaterThan(10);
  });

  it("compiles and runs the README's example", async () => {
    await copyFile(join(root, "examples", "own_graph.ts"), join(project, "own_graph.ts"));
    // Nobody listens at port 9, so that the example shows its errors.
    const nowhere = {
      DATABASE_URL: "postgres://nobody@127.0.0.1:9/none",
      REDIS_URL: "redis://127.0.0.1:9",
      MLFLOW_TRACKING_URI: "http://127.0.0.1:9",
      SUPABASE_URL: "http://127.0.0.1:9",
      SUPABASE_KEY: "none",
    };
    const output = await compileAndRun("own_graph", nowhere);
    expect(JSON.parse(output)).toMatchObject([
      { agent_name: "model_deployer", code: "service_unavailable", retryable: true },
    ]);
  });
});
