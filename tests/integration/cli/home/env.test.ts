import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import {
  doctorReportSchema,
  environmentReportSchema,
} from "../../../../src/service/machine/machine_schemas.ts";
import { noteServedAddress } from "../../../../src/platform/services/served_address.ts";
import { serviceRunDirectory } from "../../../../src/platform/services/local_service.ts";
import { startProcess } from "../../../../src/platform/processes/managed_process.ts";
import { stopHome } from "../../../../src/platform/processes/homes/stop_home.ts";
import { program } from "../../../support/given/given_cli.ts";

const DATABASE = "postgresql://nobody@127.0.0.1:1/none";
const doctorDocument = z.object({ data: doctorReportSchema });
const document = z.object({ data: environmentReportSchema });

/** A home with a quote in its name, where something runs by MLflow's name, on port 5001. */
async function givenAHomeWithMlflow(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), "it's a home-"));
  onTestFinished(async () => {
    await stopHome(home);
    await rm(home, { recursive: true, force: true });
  });
  const runDirectory = serviceRunDirectory(home);
  const args = ["-e", "setInterval(() => undefined, 1000)"];
  await startProcess({ name: "mlflow", runDirectory, command: process.execPath, args, env: {} });
  await writeFile(join(runDirectory, "mlflow.port"), "5001");
  return home;
}

test("env prints what a shell takes over, of what is configured and of what runs under the home", async () => {
  const home = await givenAHomeWithMlflow();
  const { code, out } = await program(DATABASE, ["env"], { MODEL_DEPLOYER_HOME: home });
  expect(code).toBe(0);
  const names = ["MODEL_DEPLOYER_HOME", "DATABASE_URL", "MLFLOW_TRACKING_URI"];
  const login = ["MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"];
  const shell = `eval "$1"; printf '%s\\n' ${[...names, ...login].map((name) => `"$${name}"`).join(" ")}`;
  const { stdout } = await promisify(execFile)("sh", ["-c", shell, "sh", out]);
  expect(stdout.trimEnd().split("\n")).toEqual([
    home,
    DATABASE,
    "http://127.0.0.1:5001",
    "model_deployer",
    await readFile(join(serviceRunDirectory(home), "mlflow.password"), "utf8"),
  ]);
  const json = await program(DATABASE, ["env", "--json"], { MODEL_DEPLOYER_HOME: home });
  expect(document.parse(JSON.parse(json.out)).data.variables).toMatchObject({
    MLFLOW_TRACKING_URI: "http://127.0.0.1:5001",
  });
});

test("env prints as whom an MLflow of one's own is asked, and no login of the home for it", async () => {
  const home = await givenAHomeWithMlflow();
  const own = { MODEL_DEPLOYER_HOME: home, MLFLOW_TRACKING_URI: "http://127.0.0.1:5002" };
  const variables = async (settings: Record<string, string>) => {
    const { out } = await program(DATABASE, ["env", "--json"], { ...own, ...settings });
    return Object.entries(document.parse(JSON.parse(out)).data.variables).filter(([name]) =>
      name.startsWith("MLFLOW_"),
    );
  };
  const uri = ["MLFLOW_TRACKING_URI", own.MLFLOW_TRACKING_URI];
  expect(await variables({})).toEqual([uri]);
  const token = { MLFLOW_TRACKING_TOKEN: "word" };
  expect(await variables(token)).toEqual([uri, ...Object.entries(token)]);
  const login = { MLFLOW_TRACKING_USERNAME: "ana", MLFLOW_TRACKING_PASSWORD: "it's" };
  expect(await variables(login)).toEqual([uri, ...Object.entries(login)]);
});

test("env and doctor tell where the console is served, and that what was noted there answers no more", async () => {
  const home = await mkdtemp(join(tmpdir(), "model-deployer-env-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const settings = { MODEL_DEPLOYER_HOME: home };
  expect((await program(DATABASE, ["env"], settings)).out).toContain("# the console and the API: nothing");
  const server = createServer((_, response) => response.end("ok"));
  await once(server.listen(0, "127.0.0.1"), "listening");
  const at = server.address();
  const url = `http://127.0.0.1:${typeof at === "object" ? at?.port : ""}/`;
  await noteServedAddress(home, url);
  expect((await program(DATABASE, ["env"], settings)).out).toContain(`# the console and the API: ${url}`);
  const seen = async () => {
    const { out } = await program(DATABASE, ["doctor", "--json"], settings);
    const { checks } = doctorDocument.parse(JSON.parse(out)).data;
    return checks.find(({ part }) => part === "console");
  };
  expect(await seen()).toMatchObject({ state: "ok", found: `answers at ${url}, with the API` });
  server.close();
  expect(await seen()).toMatchObject({ state: "degraded", advice: "model-deployer up, or serve" });
});

test("env says of what does not run that nothing does, and starts nothing", async () => {
  const home = await mkdtemp(join(tmpdir(), "model-deployer-env-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const { code, out } = await program(DATABASE, ["env"], {
    MODEL_DEPLOYER_HOME: home,
    MLFLOW_TRACKING_URI: "",
  });
  expect(code).toBe(0);
  expect(out).toContain("# MLFLOW_TRACKING_URI: nothing runs under this home");
});

test("env prints the engines of an installation that has others than this machine, for whatever works with it", async () => {
  const home = await mkdtemp(join(tmpdir(), "model-deployer-env-"));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const cloud = {
    BENTO_CLOUD_API_ENDPOINT: "https://team.example.org",
    BENTO_CLOUD_API_KEY: "a-long-secret",
  };
  const settings = { MODEL_DEPLOYER_HOME: home, MODEL_DEPLOYER_ENGINE: "local,bentocloud", ...cloud };
  const { out } = await program(DATABASE, ["env"], settings);
  expect(out).toContain("export MODEL_DEPLOYER_ENGINE='local,bentocloud'");
  expect((await program(DATABASE, ["env"], { MODEL_DEPLOYER_HOME: home })).out).not.toContain("ENGINE");
});
