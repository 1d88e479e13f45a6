import { createHash, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { z } from "zod";
import { digestArtifact } from "../../../src/mlops/bentoml/packaging/bento_artifact.ts";
import { BentoMLPackager } from "../../../src/mlops/bentoml/packaging/packager.ts";
import { BentoMLServer } from "../../../src/mlops/bentoml/server.ts";
import type { ServingLimits } from "../../../src/mlops/bentoml/servers/serving_limits.ts";
import { parsedJson } from "../../../src/platform/parsed_json.ts";
import { childEnvironment } from "../../../src/platform/processes/managed_process.ts";
import {
  ensureToolsEnvironment,
  type ToolsEnvironment,
} from "../../../src/platform/python/python_environment.ts";
import { readProcess } from "../../../src/platform/processes/process_table.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { processesWith } from "./processes.ts";

/** A packager and a server over a folder of their own, with models that were trained for these tests. */
export interface Workshop {
  directory: string;
  home: string;
  runDirectory: string;
  tools: ToolsEnvironment;
  packager: BentoMLPackager;
  server: BentoMLServer;
  /** The same servers under other limits, as after a change of configuration; whoever asks closes it. */
  withLimits(limits: ServingLimits): BentoMLServer;
  model(name: string): string;
  /** Packages a trained model as `e2i_<name>:v1`, the preprocessing's name in the tag too, and returns the tag. */
  pack(name: string, preprocessing?: string): Promise<string>;
  /** Takes a packaged bento's own runner away, so that `bentoml serve` serves it; returns the tag. */
  withoutRunner(bentoTag: string): Promise<string>;
  /** Puts another file in place of one of the packaged model's; returns the tag. */
  change(bentoTag: string): Promise<string>;
  /** The process ids of the server, its workers' included. */
  processesOf(deploymentId: string): Promise<number[]>;
  /** The headers by which this deployment's server knows the deployer. */
  deployersHeaders(deploymentId: string): Promise<Record<string, string>>;
  killServer(deploymentId: string): Promise<void>;
  /** Ends all servers and removes the folder. */
  close(): Promise<void>;
}

/** Asked for and not enforced here. */
export const resources = {
  replicas: 1,
  cpu_limit: "1",
  memory_limit: "1Gi",
  autoscaling: { min: 1, max: 1, target_cpu: 70 },
};

export const cacheDirectory =
  process.env["MODEL_DEPLOYER_CACHE"] ?? join(homedir(), ".cache", "model-deployer");
const modelScripts = fileURLToPath(new URL("./models/", import.meta.url));

// Generous: test files run side by side, and the first start in an environment compiles its packages.
const START_TIMEOUT_MS = 240_000;

export async function openWorkshop(limits?: ServingLimits, groupParent?: string): Promise<Workshop> {
  const tools = await ensureToolsEnvironment({ cacheDirectory });
  const models = await trainModels(tools);
  const directory = await mkdtemp(join(tmpdir(), "model-deployer-bentoml-"));
  const home = join(directory, "home");
  const runDirectory = join(directory, "run");
  const packager = new BentoMLPackager({
    home,
    bentoml: tools.bentoml,
    environments: { cacheDirectory, uv: tools.uv, containment: { isolation: "preferred" } },
  });
  const withLimits = (other: ServingLimits) =>
    new BentoMLServer({
      home,
      runDirectory,
      cacheDirectory,
      uv: tools.uv,
      startTimeoutMs: START_TIMEOUT_MS,
      limits: other,
      ...(groupParent !== undefined && { groupParent }),
    });
  const server = withLimits({ containment: { isolation: "preferred", network: "any" }, ...limits });
  const model = (name: string) => join(models, name);
  return {
    directory,
    home,
    runDirectory,
    tools,
    packager,
    server,
    withLimits,
    model,
    ...packedBentos(packager, home, model),
    ...serverProcesses(directory, runDirectory),
    close: async () => {
      for (const id of await server.list()) await server.stop(id, { signal: patience() });
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const patience = () => AbortSignal.timeout(600_000);

function packedBentos(
  packager: BentoMLPackager,
  home: string,
  model: Workshop["model"],
): Pick<Workshop, "pack" | "withoutRunner" | "change"> {
  const sourcesOf = (bentoTag: string) => join(home, "bentos", ...bentoTag.split(":"), "src");
  return {
    pack: async (name, preprocessing) => {
      const bento_tag = `e2i_${[name, preprocessing].filter((part) => part !== undefined).join("_")}:v1`;
      const input = {
        bento_tag,
        model_name: name,
        version: 1,
        model_path: model(name),
        preprocessing_path: preprocessing === undefined ? null : model(preprocessing),
        artifact_digest: await digestArtifact(model(name)),
      };
      await packager.packageModel(input, { signal: patience() });
      return bento_tag;
    },
    withoutRunner: async (bentoTag) => {
      await rm(join(sourcesOf(bentoTag), "serve.py"));
      return bentoTag;
    },
    change: async (bentoTag) => {
      const description = join(sourcesOf(bentoTag), "model", "MLmodel");
      const text = await readFile(description, "utf8");
      // The bento's files are links to the artifact's, which stay as they are.
      await rm(description);
      await writeFile(description, `${text}# changed\n`);
      return bentoTag;
    },
  };
}

function serverProcesses(
  directory: string,
  runDirectory: string,
): Pick<Workshop, "processesOf" | "deployersHeaders" | "killServer"> {
  const processesOf = (deploymentId: string) =>
    processesWith(`MODEL_DEPLOYER_DEPLOYMENT_ID=${deploymentId}`, `BENTOML_HOME=${directory}`);
  return {
    processesOf,
    deployersHeaders: async (deploymentId) => {
      const record = parsedJson(
        await readFile(join(runDirectory, "servers", `${deploymentId}.json`), "utf8"),
      );
      return { "x-model-deployer-secret": z.object({ secret: z.string() }).parse(record).secret };
    },
    killServer: async (deploymentId) => {
      const ids = await processesOf(deploymentId);
      for (const id of ids) process.kill(id, "SIGKILL");
      // Ending processes give their environment up first, so its absence there would come too early.
      const areGone = async () => (await Promise.all(ids.map(readProcess))).every((entry) => entry === null);
      await pollUntil(areGone, { what: `end of ${deploymentId}`, deadlineMs: 120_000 });
    },
  };
}

/** Once for each state of the scripts and the environment; concurrent test files may train twice, and one result stays. */
async function trainModels(tools: ToolsEnvironment): Promise<string> {
  const names = ["train.py", "breaking_out.py", "behaving.py"];
  const scripts = await Promise.all(names.map((name) => readFile(join(modelScripts, name), "utf8")));
  const key = createHash("sha256")
    .update([...scripts, tools.python].join("\n"))
    .digest("hex")
    .slice(0, 20);
  const target = join(cacheDirectory, "test-models", key);
  if (await exists(target)) return target;
  const scratch = `${target}.${randomUUID()}`;
  await mkdir(dirname(target), { recursive: true });
  await execa(tools.python, ["-B", join(modelScripts, "train.py"), scratch], {
    cwd: dirname(target),
    env: childEnvironment({ MLFLOW_DISABLE_TELEMETRY: "true" }),
    extendEnv: false,
    timeout: 600_000,
  });
  await rename(scratch, target).catch(async (cause: unknown) => {
    if (!(await exists(target))) throw cause;
    await rm(scratch, { recursive: true, force: true });
  });
  return target;
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
