import { createHash, randomUUID } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { EndpointCreationError } from "../../../agents/model_deployer/errors.ts";
import { containedBuild, type ContainmentPolicy, isolationFor } from "../../containment/containment.ts";
import { finishedEnvironment, reasonOf } from "../environment_job.ts";
import { buildEnvironment, indexPaths, installEnvironment } from "./index_settings.ts";
import { inspectPython, type PythonInterpreter, pythonFolder } from "../python_interpreter.ts";
import {
  constraintOf,
  type DirectReferences,
  localVersionHint,
  modelRequirements,
  packagesText,
  wheelOf,
} from "./requirement_lines.ts";
import { type RequirementLock, WHEELS } from "./requirement_lock.ts";

export interface ResolvingOptions {
  cacheDirectory: string;
  uv: string;
  requirements: readonly string[];
  /** The installation's own unless given. */
  python?: PythonInterpreter;
  /** The folder that wheels of the artifact are named from. */
  wheels?: string;
  directReferences?: DirectReferences;
  /** Contains what runs code of packages; nothing does unless given. */
  containment?: Pick<ContainmentPolicy, "isolation">;
  limitSeconds?: number;
  onProgress?: (line: string) => void;
  signal?: AbortSignal;
}

/** An hour. */
export const DEFAULT_ENVIRONMENT_SECONDS = 3600;
const NO_WHEEL = /building from source is disabled/;

/**
 * All packages that the requirements lead to, with the hashes of their files, as the configured indexes have them now; once
 * for the same requirements, so that models that ask for the same share an environment. No package's code runs, unless one
 * has no wheel: that is built contained, without the index's password.
 *
 * @throws EndpointCreationError with the resolver's reason; ServiceUnavailableError with how far it is when the signal
 * ends the waiting
 */
export async function lockedRequirements(options: ResolvingOptions): Promise<RequirementLock> {
  const python = options.python ?? (await inspectPython(options.signal));
  const lines = await withHashes(options);
  const { directories, ask } = resolving(lines, python, options);
  const hasBuilt = (await packagesIn(directories.built)) !== null;
  if (!hasBuilt) {
    const wheelsOnly = await ask(directories.wheels, false);
    if (wheelsOnly === null)
      return { python: python.version, builds: false, packages: await packages(directories.wheels, options) };
    if (!NO_WHEEL.test(wheelsOnly)) throw refusal(wheelsOnly, lines);
  }
  const failed = await ask(directories.built, true);
  if (failed !== null) throw refusal(`${failed}${passwordHint(failed)}`, lines);
  return { python: python.version, builds: true, packages: await packages(directories.built, options) };
}

/** The same where they were resolved before; null where they were not. */
export async function knownLock(options: ResolvingOptions): Promise<RequirementLock | null> {
  const python = options.python ?? (await inspectPython(options.signal));
  const { directories } = resolving(await withHashes(options), python, options);
  for (const [directory, builds] of [
    [directories.wheels, false],
    [directories.built, true],
  ] as const) {
    if ((await packagesIn(directory)) === null) continue;
    return { python: python.version, builds, packages: await packages(directory, options) };
  }
  return null;
}

/** Wheels of the artifact are told apart by what is in them. */
async function withHashes({ requirements, directReferences, wheels }: ResolvingOptions): Promise<string[]> {
  const lines = modelRequirements(requirements, directReferences);
  return Promise.all(
    lines.map(async (line) => {
      const wheel = wheelOf(line);
      if (wheel === null) return line;
      const file = wheels === undefined ? null : await readFile(join(wheels, wheel)).catch(() => null);
      if (file === null) {
        throw new EndpointCreationError(
          `the model's requirements name ${wheel}, which is not among its files: log the model with it`,
          { details: { requirement: line } },
        );
      }
      return `${WHEELS}/${wheel} --hash=sha256:${createHash("sha256").update(file).digest("hex")}`;
    }),
  );
}

function resolving(lines: readonly string[], python: PythonInterpreter, options: ResolvingOptions) {
  const hash = createHash("sha256")
    .update(JSON.stringify([lines, python]))
    .digest("hex")
    .slice(0, 20);
  const folder = join(resolve(options.cacheDirectory), "locks");
  const directories = { wheels: join(folder, `wheels-${hash}`), built: join(folder, `built-${hash}`) };
  return {
    directories,
    ask: (directory: string, builds: boolean) => resolved({ directory, lines, builds, python }, options),
  };
}

/** Null where it is done, else why not. */
async function resolved(
  asked: { directory: string; lines: readonly string[]; builds: boolean; python: PythonInterpreter },
  options: ResolvingOptions,
): Promise<string | null> {
  const { directory, lines, python } = asked;
  const [input, constraints] = [`${directory}.in`, `${directory}.constraints`];
  await mkdir(join(directory, ".."), { recursive: true });
  const named = lines.filter((line) => constraintOf(line) === null);
  await writeWhole(input, `${named.join("\n").replaceAll(WHEELS, addressOf(options.wheels))}\n`);
  const limits = lines.map(constraintOf).filter((line) => line !== null);
  if (limits.length > 0) await writeWhole(constraints, `${limits.join("\n")}\n`);
  const job = {
    directory,
    purpose: `the versions for ${packagesText(lines)}`,
    commands: await commands(asked, limits.length > 0 ? [input, constraints] : [input], options),
    warmUp: [],
    probe: [python.executable, "-I", "-S", "-c", "print('{}')"],
    python: python.executable,
    env: installEnvironment(),
    limitSeconds: options.limitSeconds ?? DEFAULT_ENVIRONMENT_SECONDS,
  };
  const { onProgress, signal } = options;
  const made = await finishedEnvironment(job, {
    ...(onProgress && { onProgress }),
    ...(signal && { signal }),
  });
  return "failed" in made ? reasonOf(made.failed) : null;
}

async function commands(
  { directory, builds, python }: { directory: string; builds: boolean; python: PythonInterpreter },
  [input, constraints]: readonly [string, string?],
  { uv, containment, wheels }: ResolvingOptions,
): Promise<string[][]> {
  const how = ["--python", python.executable, "--generate-hashes", "--no-header", "--no-annotate"];
  const within = constraints === undefined ? [] : ["--constraint", constraints];
  const compile = [uv, "pip", "compile", input, ...within, ...how];
  const output = ["-o", join(directory, "requirements.txt")];
  if (!builds) return [inNewFolder(python, directory), [...compile, "--no-build", ...output]];
  const scratch = join(directory, "scratch");
  const contained = await inContainment([...compile, ...output], {
    containment,
    scratch,
    read: [input, ...within.slice(1), pythonFolder(python), ...(wheels === undefined ? [] : [wheels])],
    write: [directory],
  });
  return [inNewFolder(python, scratch), contained, withoutFolder(python, scratch)];
}

/** A command that may run code of packages that are built: it sees indexes, its own folders, and no password. */
export async function inContainment(
  [command = "", ...args]: readonly string[],
  needs: {
    containment: Pick<ContainmentPolicy, "isolation"> | undefined;
    /** Holds all that it writes beside `write`; it has to be there when the command is run. */
    scratch: string;
    read: readonly string[];
    write: readonly string[];
  },
): Promise<string[]> {
  const { containment, scratch } = needs;
  const isolation = containment === undefined ? "none" : await isolationFor(containment);
  const own = [...needs.write, scratch];
  const program =
    isolation === "none"
      ? { command, args }
      : // What is built is run as well, such as a compiler that another package brings.
        await containedBuild(
          { command, args },
          { read: [...needs.read, ...indexPaths(), ...own], write: own },
        );
  return withVariables(buildEnvironment(scratch), [program.command, ...program.args]);
}

/** The command with these variables and no others. They are seen by whoever lists processes. */
export function withVariables(variables: Record<string, string>, command: readonly string[]): string[] {
  const pairs = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  return ["/usr/bin/env", "-i", ...pairs, ...command];
}

const MAKE = "import os, shutil, sys; shutil.rmtree(sys.argv[1], True); os.makedirs(sys.argv[1])";
const REMOVE = "import shutil, sys; shutil.rmtree(sys.argv[1], True)";

export function inNewFolder({ executable }: PythonInterpreter, folder: string): string[] {
  return [executable, "-I", "-S", "-c", MAKE, folder];
}

export function withoutFolder({ executable }: PythonInterpreter, folder: string): string[] {
  return [executable, "-I", "-S", "-c", REMOVE, folder];
}

async function packages(directory: string, { wheels }: ResolvingOptions): Promise<string> {
  const text = (await packagesIn(directory)) ?? "";
  return wheels === undefined ? text : text.replaceAll(addressOf(wheels), WHEELS);
}

async function packagesIn(directory: string): Promise<string | null> {
  const isComplete = await readFile(join(directory, "complete.json")).catch(() => null);
  return isComplete === null ? null : readFile(join(directory, "requirements.txt"), "utf8");
}

export function addressOf(wheels: string | undefined): string {
  return wheels === undefined ? WHEELS : pathToFileURL(resolve(wheels)).href;
}

export async function writeWhole(path: string, text: string): Promise<void> {
  const scratch = `${path}.${randomUUID()}`;
  await writeFile(scratch, text);
  await rename(scratch, path);
}

function refusal(why: string, requirements: readonly string[]): EndpointCreationError {
  return new EndpointCreationError(
    `the model's requirements cannot be installed: ${why}${localVersionHint(requirements)}`,
    {
      details: { requirements },
    },
  );
}

const passwordHint = (said: string): string =>
  /\b40[13]\b/.test(said)
    ? "\nA package without a wheel is built without the index's password: publish a wheel of it."
    : "";
