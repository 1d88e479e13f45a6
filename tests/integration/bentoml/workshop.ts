import { createHash, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { digestArtifact } from "../../../src/mlops/bentoml/artifact_folder.ts";
import { BentoMLPackager } from "../../../src/mlops/bentoml/packager.ts";
import { BentoMLServer } from "../../../src/mlops/bentoml/server.ts";
import type { ServingLimits } from "../../../src/mlops/bentoml/served_process.ts";
import { childEnvironment } from "../../../src/platform/managed_process.ts";
import { ensureToolsEnvironment, type ToolsEnvironment } from "../../../src/platform/python_environment.ts";
import { readProcess } from "../../../src/platform/process_table.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { processesWith } from "./processes.ts";

/** A packager and a server over a folder of their own, with models that were trained for these tests. */
export interface Workshop {
  directory: string;
  home: string;
  tools: ToolsEnvironment;
  packager: BentoMLPackager;
  server: BentoMLServer;
  model(name: string): string;
  /** Packages a trained model as `e2i_<name>:v1`, the preprocessing's name in the tag too, and returns the tag. */
  pack(name: string, preprocessing?: string): Promise<string>;
  /** Puts another file in place of one of the packaged model's; returns the tag. */
  change(bentoTag: string): Promise<string>;
  /** Kills the server's parent and its workers. */
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

const cacheDirectory = process.env["MODEL_DEPLOYER_CACHE"] ?? join(homedir(), ".cache", "model-deployer");
const trainingScript = fileURLToPath(new URL("./train_models.py", import.meta.url));

// Generous: test files run side by side, and the first start in an environment compiles its packages.
const startTimeoutMs = 240_000;

export async function openWorkshop(limits?: ServingLimits): Promise<Workshop> {
  const tools = await ensureToolsEnvironment({ cacheDirectory });
  const models = await trainModels(tools);
  const directory = await mkdtemp(join(tmpdir(), "model-deployer-bentoml-"));
  const home = join(directory, "home");
  const runDirectory = join(directory, "run");
  const packager = new BentoMLPackager({ home, bentoml: tools.bentoml });
  const server = new BentoMLServer({
    home,
    runDirectory,
    cacheDirectory,
    uv: tools.uv,
    startTimeoutMs,
    ...(limits && { limits }),
  });
  const model = (name: string) => join(models, name);
  const signal = () => AbortSignal.timeout(120_000);
  return {
    directory,
    home,
    tools,
    packager,
    server,
    model,
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
      await packager.packageModel(input, { signal: signal() });
      return bento_tag;
    },
    change: async (bentoTag) => {
      const [name = "", version = ""] = bentoTag.split(":");
      const description = join(home, "bentos", name, version, "src", "model", "MLmodel");
      const text = await readFile(description, "utf8");
      // The bento's files are links to the artifact's, which stay as they are.
      await rm(description);
      await writeFile(description, `${text}# changed\n`);
      return bentoTag;
    },
    killServer: async (deploymentId) => {
      const ids = await processesWith(
        `MODEL_DEPLOYER_DEPLOYMENT_ID=${deploymentId}`,
        `BENTOML_HOME=${directory}`,
      );
      for (const id of ids) process.kill(id, "SIGKILL");
      // Ending processes give their environment up first, so its absence there would come too early.
      const areGone = async () => (await Promise.all(ids.map(readProcess))).every((entry) => entry === null);
      await pollUntil(areGone, { what: `end of ${deploymentId}`, deadlineMs: 120_000 });
    },
    close: async () => {
      for (const id of await server.list()) await server.stop(id, { signal: signal() });
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Once for each state of the script and the environment; concurrent test files may train twice, and one result stays. */
async function trainModels(tools: ToolsEnvironment): Promise<string> {
  const content = `${await readFile(trainingScript, "utf8")}${tools.python}`;
  const key = createHash("sha256").update(content).digest("hex").slice(0, 20);
  const target = join(cacheDirectory, "test-models", key);
  if (await exists(target)) return target;
  const scratch = `${target}.${randomUUID()}`;
  await mkdir(dirname(target), { recursive: true });
  await execa(tools.python, [trainingScript, scratch], {
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
