import { request } from "node:http";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { z } from "zod";
import { checkMlflow } from "../../../src/cli/commands/doctor/doctor_mlflow.ts";
import { basicAuthorization } from "../../../src/platform/basic_authorization.ts";
import { findFreePort } from "../../../src/platform/free_port.ts";
import { childEnvironment } from "../../../src/platform/processes/child_environment.ts";
import { findProcess, startProcess } from "../../../src/platform/processes/managed_process.ts";
import { ensureToolsEnvironment } from "../../../src/platform/python/python_environment.ts";
import { serviceRunDirectory } from "../../../src/platform/services/local_service.ts";
import {
  findLocalServices,
  startLocalServices,
  stopLocalServices,
} from "../../../src/platform/services/local_services.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { readConfiguration } from "../../../src/wiring/settings/configuration.ts";
import { mlflowAccess, mlflowEnvironment } from "../../../src/wiring/settings/mlflow_settings.ts";

const cacheDirectory = inject("cacheDirectory");
const need = { postgres: false, redis: false, mlflow: true };
let homeDirectory = "";

beforeEach(async () => {
  homeDirectory = await mkdtemp(join(tmpdir(), "model-deployer-mlflow-"));
});

afterEach(async () => {
  await stopLocalServices(homeDirectory);
  await rm(homeDirectory, { recursive: true });
});

const nothingBrought = readConfiguration({});

/** Started, or found running, with what was told meanwhile. */
async function started() {
  const told: string[] = [];
  const onProgress = (line: string) => told.push(line);
  const local = await startLocalServices({ homeDirectory, cacheDirectory, need, onProgress });
  const access = mlflowAccess(nothingBrought, local);
  const { username, password } = local.mlflowLogin ?? expect.fail("nobody may ask it");
  return { url: access.mlflowUrl, access, username, password, told };
}

interface Asked {
  method?: string;
  headers?: Record<string, string>;
  /** As it is: `fetch` would take dots out of it. */
  path?: string;
}

function statusOf(url: string, { path = "/version", ...asked }: Asked = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { ...asked, path, agent: false }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    sent.on("error", reject).end();
  });
}

const as = (authorization: string): Asked => ({ headers: { authorization } });

const routes: [method: string, path: string][] = [
  ["GET", "/"],
  ["GET", "/version"],
  ["GET", "/static-files/index.html"],
  ["GET", "/nowhere"],
  ["GET", "/health/../version"],
  ["GET", "/health/"],
  ["GET", "//health"],
  ["POST", "/health"],
  ["OPTIONS", "/api/2.0/mlflow/runs/create"],
  ["POST", "/api/2.0/mlflow/runs/create"],
  ["GET", "/ajax-api/2.0/mlflow/experiments/search?max_results=1"],
  ["POST", "/graphql"],
  ["GET", "/get-artifact?path=x&run_id=y"],
  ["GET", "/api/2.0/mlflow-artifacts/artifacts?path="],
  ["PUT", "/api/2.0/mlflow-artifacts/artifacts/0/x"],
  ["DELETE", "/api/2.0/mlflow-artifacts/artifacts/0/x"],
  ["GET", "/api/3.0/mlflow/server-info"],
  ["POST", "/v1/traces"],
  ["GET", "/ajax-api/3.0/mlflow/assistant/config"],
];

describe("the home's own MLflow", () => {
  it("answers nobody without its password, whatever the route, but the probe", async () => {
    const { url, username, password } = await started();
    for (const [method, path] of routes) {
      expect(await statusOf(url, { method, path }), `${method} ${path}`).toBe(401);
    }
    expect(await statusOf(url, { path: "/health" })).toBe(200);
    const right = basicAuthorization({ username, password });
    const wrong = [
      basicAuthorization({ username, password: password.slice(1) }),
      basicAuthorization({ username: "admin", password }),
      basicAuthorization({ username, password: "" }),
      right.replace("Basic", "Bearer"),
      right.slice(0, -1),
      "Basic",
      "",
    ];
    for (const one of wrong) expect(await statusOf(url, as(one)), one).toBe(401);
    expect(await statusOf(url, as(right))).toBe(200);
    expect(await statusOf(url, { path: "/api/2.0/mlflow-artifacts/artifacts?path=", ...as(right) })).toBe(
      200,
    );
    const upgrade = { connection: "upgrade", upgrade: "websocket", "sec-websocket-version": "13" };
    const socket = { headers: { ...upgrade, "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==" } };
    expect(await statusOf(url, socket)).toBe(403);
    const asked = await fetch(url);
    expect(asked.headers.get("www-authenticate")).toBe('Basic realm="MLflow"');

    const runDirectory = serviceRunDirectory(homeDirectory);
    const { pid = 0 } = (await findProcess(runDirectory, "mlflow")) ?? {};
    for (const file of [`/proc/${pid}/cmdline`, `/proc/${pid}/environ`, join(runDirectory, "mlflow.log")]) {
      expect(await readFile(file, "utf8"), file).not.toContain(password);
    }
  });

  it("is asked by MLflow's own client as the environment says, which is told the way out without it", async () => {
    const { access } = await started();
    const { python } = await ensureToolsEnvironment({ cacheDirectory });
    const code = [
      "import mlflow",
      "with mlflow.start_run():",
      "    mlflow.log_metric('auc', 0.9)",
      "    mlflow.log_text('kept', 'note.txt')",
      "    print(mlflow.artifacts.load_text(mlflow.get_artifact_uri('note.txt')))",
    ].join("\n");
    const run = (extra: Record<string, string>) => {
      const env = childEnvironment({ ...extra, MLFLOW_DISABLE_TELEMETRY: "true" });
      return execa(python, ["-c", code], { env, extendEnv: false, reject: false });
    };
    const environment = mlflowEnvironment(access);
    const unknown = await run({ MLFLOW_TRACKING_URI: environment.MLFLOW_TRACKING_URI });
    expect(unknown.exitCode).toBe(1);
    expect(unknown.stderr).toContain("`model-deployer env` prints both");
    const known = await run(environment);
    expect(known.exitCode, known.stderr).toBe(0);
    expect(known.stdout).toMatch(/^kept$/m);
  });

  it("is started anew where an earlier version has started it, or its password is another now", async () => {
    const runDirectory = serviceRunDirectory(homeDirectory);
    const { python } = await ensureToolsEnvironment({ cacheDirectory });
    const port = await findFreePort();
    const before = `http://127.0.0.1:${port}`;
    const place = ["--host", "127.0.0.1", "--port", String(port), "--workers", "1"];
    const storage = ["--backend-store-uri", `sqlite:///${join(homeDirectory, "mlflow.db")}`];
    const command = join(dirname(python), "mlflow");
    const env = childEnvironment({ MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false" });
    await startProcess({
      name: "mlflow",
      runDirectory,
      command,
      args: ["server", ...place, ...storage],
      env,
    });
    await writeFile(join(runDirectory, "mlflow.port"), `${port}\n`);
    await pollUntil(() => statusOf(before).then((status) => status === 200), {
      deadlineMs: 240_000,
      what: "an MLflow without a password",
    });
    const found = async () => {
      const { state, found: what } = await checkMlflow(
        nothingBrought,
        await findLocalServices(homeDirectory),
      );
      return `${state}: ${what}`;
    };
    expect(await found()).toMatch(/^degraded: .* asks for no password$/);

    const first = await started();
    expect(first.url).toBe(before);
    expect(first.told[0]).toMatch(/asks for no password, .*; it is started anew$/);
    expect(await statusOf(before)).toBe(401);
    expect(await found()).toBe(`ok: answers at ${before}`);
    expect((await started()).told).toEqual([]);

    await rm(join(runDirectory, "mlflow.password"));
    expect(await found()).toMatch(/^down: .* knows nobody by these credentials$/);
    const second = await started();
    expect(second.password).not.toBe(first.password);
    expect(second.told[0]).toMatch(/asks for a former password; it is started anew$/);
    expect(await statusOf(second.url, as(basicAuthorization(second)))).toBe(200);
  });

  it("is given all that MLflow's own command hands to the application", async () => {
    const { python } = await ensureToolsEnvironment({ cacheDirectory });
    const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));
    const program = here("../../../src/platform/services/mlflow_server.py");
    const words = [
      program,
      `sqlite:///${join(homeDirectory, "mlflow.db")}`,
      join(homeDirectory, "artifacts"),
    ];
    const { stdout } = await execa(python, [here("./programs/mlflow_settings.py"), ...words], {
      env: childEnvironment({ MLFLOW_SERVER_ENABLE_JOB_EXECUTION: "false" }),
      extendEnv: false,
    });
    const variables = z.record(z.string(), z.string());
    const { theirs, ours } = z
      .object({ theirs: variables, ours: variables })
      .parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
    const defaults = { MLFLOW_SERVER_SECRETS_CACHE_TTL: "60", MLFLOW_SERVER_SECRETS_CACHE_MAX_SIZE: "1000" };
    const { _MLFLOW_SERVER_BOOT_ID: boot, ...others } = ours;
    expect(boot).toMatch(/^[0-9a-f]{32}$/);
    expect(theirs).toMatchObject({ ...others, ...defaults });
    expect(Object.keys(theirs).sort()).toEqual(Object.keys({ ...ours, ...defaults }).sort());
  });
});
