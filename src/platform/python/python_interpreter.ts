import { realpathSync } from "node:fs";
import { dirname } from "node:path";
import { z } from "zod";
import { ConfigurationError } from "../../agents/model_deployer/errors.ts";
import { childEnvironment, pythonCommand } from "../processes/child_environment.ts";

export interface PythonInterpreter {
  executable: string;
  /** `3.11.7`, with what tells builds apart that share no binary packages: `3.11.7-cpython-x86_64`. */
  version: string;
}

const OLDEST_MINOR = 10;
const INSPECTION_TIMEOUT_MS = 20_000;
const inspection = `import importlib.util, json, os, sys
v = sys.version_info
version = "-".join(["%d.%d.%d" % v[:3], sys.implementation.name, os.uname().machine])
print(json.dumps({"executable": sys.executable, "major": v[0], "minor": v[1], "version": version, "venv": importlib.util.find_spec("ensurepip") is not None}))`;

const inspectedSchema = z.object({
  executable: z.string().min(1),
  major: z.int(),
  minor: z.int(),
  version: z.string().min(1),
  venv: z.boolean(),
});

/**
 * Each interpreter is inspected once for a process, since a version manager's shim takes a fifth of a second for each
 * start.
 */
const inspected = new Map<string, PythonInterpreter>();

/** @throws ConfigurationError when it is missing, broken, older than 3.10, or cannot make virtual environments. */
export async function inspectPython(signal?: AbortSignal): Promise<PythonInterpreter> {
  const command = pythonCommand();
  const python = inspected.get(command) ?? (await inspect(command, signal));
  inspected.set(command, python);
  return python;
}

/** `3.12` of `3.12.1`. */
export function minorOf(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}

/** The interpreter that a command runs. @throws ConfigurationError as `inspectPython` */
export async function inspect(command: string, signal?: AbortSignal): Promise<PythonInterpreter> {
  const { execa } = await import("execa");
  const answer = await execa(command, ["-I", "-S", "-c", inspection], {
    env: childEnvironment(),
    extendEnv: false,
    timeout: INSPECTION_TIMEOUT_MS,
    ...(signal === undefined ? {} : { cancelSignal: signal }),
  }).catch((cause: unknown) => {
    signal?.throwIfAborted();
    throw new ConfigurationError(`${command} cannot be run: ${wayOut}`, { cause });
  });
  const python = inspectedSchema.parse(JSON.parse(answer.stdout));
  if (python.major !== 3 || python.minor < OLDEST_MINOR) {
    throw new ConfigurationError(`${command} is Python ${python.version}: ${wayOut}`);
  }
  if (!python.venv) {
    throw new ConfigurationError(
      `${command} cannot make virtual environments: install its venv module (Debian and Ubuntu: apt install python3-venv)`,
    );
  }
  return { executable: python.executable, version: python.version };
}

const wayOut = `install Python 3.${OLDEST_MINOR} or newer, or set MODEL_DEPLOYER_PYTHON to one`;

/** Where the interpreter has its library, whatever links lead to it. */
export function pythonFolder({ executable }: PythonInterpreter): string {
  return dirname(dirname(realpathSync(executable)));
}
