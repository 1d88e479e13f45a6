import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { finishedEnvironment, reasonOf } from "./environment_job.ts";
import { installEnvironment } from "./requirements/index_settings.ts";
import type { PythonInterpreter } from "./python_interpreter.ts";
import { DEFAULT_ENVIRONMENT_SECONDS } from "./requirements/resolved_requirements.ts";

export interface EnvironmentOptions {
  /** Environments lie in its `environments` folder, each named by the hash of its requirements and Python. */
  cacheDirectory: string;
  /** Limit for making one environment, `MODEL_DEPLOYER_ENVIRONMENT_SECONDS`; an hour unless given. */
  limitSeconds?: number;
  /** Called with sentences about how far it is; never when the environment is there already. */
  onProgress?: (line: string) => void;
  /** Ends the wait; the environment goes on being made, and the next caller finds it. */
  signal?: AbortSignal;
}

export async function isComplete(directory: string): Promise<boolean> {
  return (await readFile(join(directory, "complete.json"), "utf8").catch(() => null)) !== null;
}

export function environmentDirectory(
  options: EnvironmentOptions,
  kind: "tools" | "model" | "signing",
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
  probe?: string[];
  python: PythonInterpreter;
  options: EnvironmentOptions;
}

export const builtSchema = z.object({ site_packages: z.string().min(1) });
const PLACES = "import json, sysconfig; print(json.dumps({'site_packages': sysconfig.get_path('platlib')}))";

/** The marker of the complete environment, which is built first when it is missing. */
export async function ensureBuilt(
  { directory, purpose, commands, warmUp, probe, python, options }: Build,
  explain: (why: string) => Error,
): Promise<z.infer<typeof builtSchema>> {
  const { limitSeconds = DEFAULT_ENVIRONMENT_SECONDS, onProgress, signal } = options;
  const job = {
    directory,
    purpose,
    commands,
    warmUp,
    probe: probe ?? [join(directory, "bin", "python"), "-I", "-c", PLACES],
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
