import { existsSync } from "node:fs";
import { tmpdir } from "node:os";

/** Names the folder that a process goes with, wherever it has its files and whatever group it is in. */
export const TIED_VARIABLE = "MODEL_DEPLOYER_TIED_TO";

const inheritedVariables = [
  TIED_VARIABLE,
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "LANG",
  "LC_ALL",
  "LC_CTYPE",
  "TZ",
  "TMPDIR",
];

/** Of this process's variables those whose names match. */
export function variablesNamed(pattern: RegExp): Record<string, string> {
  const named = Object.entries(process.env).flatMap(([name, value]) =>
    value !== undefined && pattern.test(name) ? [[name, value] as const] : [],
  );
  return Object.fromEntries(named);
}

/** The environment every child gets: PATH, HOME, LANG, TMPDIR and the like, plus what is named. */
export function childEnvironment(extra: Record<string, string> = {}): Record<string, string> {
  const inherited = inheritedVariables.flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return { TMPDIR: tmpdir(), ...Object.fromEntries(inherited), ...extra };
}

/** The Python that environments are made of: `MODEL_DEPLOYER_PYTHON`, or `python3` on the path. */
export function pythonCommand(): string {
  return process.env["MODEL_DEPLOYER_PYTHON"] ?? "python3";
}

/**
 * The Python that runs our own scripts, which any Python 3 can: the system's own where it is no stub, because a version
 * manager's shim takes 0.2 s for each start.
 */
export function scriptPython(): string {
  const system = "/usr/bin/python3";
  const isReal = process.platform === "linux" && existsSync(system);
  return process.env["MODEL_DEPLOYER_PYTHON"] ?? (isReal ? system : "python3");
}
