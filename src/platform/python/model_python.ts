import { readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { installEnvironment } from "./requirements/index_settings.ts";
import { inspect, inspectPython, minorOf, type PythonInterpreter } from "./python_interpreter.ts";

const FETCH_SECONDS = 300;
/** A Python that was not there is looked for again after so long, so that whoever installs it need not start anything anew. */
const FORGOTTEN_AFTER_MS = 60_000;

const known = new Map<string, { at: number; found: PythonInterpreter | null }>();

/** The interpreter that serves a model now: of the wanted minor version, or the installation's own. Downloads nothing. */
export async function modelPython(wanted: string | null, signal?: AbortSignal): Promise<PythonInterpreter> {
  const own = await inspectPython(signal);
  if (wanted === null || isOfMinor(own, wanted)) return own;
  return (await findPython(wanted, signal)) ?? own;
}

/** The same, where an environment has to be made: uv may bring it. */
export async function broughtPython(
  wanted: string | null,
  {
    uv,
    signal,
    onProgress,
  }: { uv: string; signal?: AbortSignal | undefined; onProgress?: ((line: string) => void) | undefined },
): Promise<PythonInterpreter> {
  const found = await modelPython(wanted, signal);
  if (wanted === null || isOfMinor(found, wanted)) return found;
  onProgress?.(`fetching Python ${wanted}, under which the model was logged`);
  const fetched = await fetchPython(wanted, uv, signal);
  if (fetched !== null) return fetched;
  const served = found.version.split("-")[0] ?? "";
  onProgress?.(`no Python ${minorOf(wanted)} is to be had: the model is served with ${served}`);
  return found;
}

/** Whether it is of the minor version of `3.12.1`. */
export function isOfMinor({ version }: PythonInterpreter, wanted: string): boolean {
  return minorOf(version) === minorOf(wanted);
}

/**
 * An interpreter of this version on the machine, or the newest of the same minor version: on the PATH, of pyenv, or one
 * that uv has brought; null where there is none. Downloads nothing.
 */
export async function findPython(version: string, signal?: AbortSignal): Promise<PythonInterpreter | null> {
  const before = known.get(version);
  const isFresh = before !== undefined && performance.now() - before.at < FORGOTTEN_AFTER_MS;
  if (before !== undefined && (before.found !== null || isFresh)) return before.found;
  const found = await search(version, signal);
  known.set(version, { at: performance.now(), found });
  return found;
}

/** One that uv downloads, unless `UV_PYTHON_DOWNLOADS` forbids it; null where it cannot. */
export async function fetchPython(
  version: string,
  uv: string,
  signal?: AbortSignal,
): Promise<PythonInterpreter | null> {
  const allowed = process.env["UV_PYTHON_DOWNLOADS"] ?? "automatic";
  if (allowed === "never" || allowed === "manual") return null;
  const { execa } = await import("execa");
  const { failed } = await execa(uv, ["python", "install", minorOf(version)], {
    env: { ...installEnvironment(), UV_PYTHON_DOWNLOADS: "manual", UV_HTTP_RETRIES: "1" },
    extendEnv: false,
    reject: false,
    timeout: FETCH_SECONDS * 1000,
    ...(signal !== undefined && { cancelSignal: signal }),
  });
  signal?.throwIfAborted();
  if (failed) return null;
  known.delete(version);
  return findPython(version, signal);
}

async function search(version: string, signal?: AbortSignal): Promise<PythonInterpreter | null> {
  const minor = minorOf(version);
  const commands = [...onPath(minor), ...(await ofPyenv(minor)), ...(await ofUv(minor))];
  const inspected = await Promise.all(
    commands.map((command) =>
      inspect(command, signal).catch((error: unknown) => {
        signal?.throwIfAborted();
        // A shim of a version manager that has no such version, or something else that only has the name.
        if (error instanceof Error) return null;
        throw error;
      }),
    ),
  );
  const fitting = inspected.flatMap((one) => (one !== null && minorOf(one.version) === minor ? [one] : []));
  const isExact = (one: PythonInterpreter) => one.version.startsWith(`${version}-`);
  const newest = fitting.toSorted((one, other) => patchOf(other) - patchOf(one));
  return newest.find(isExact) ?? newest[0] ?? null;
}

const patchOf = ({ version }: PythonInterpreter): number =>
  Number(/^\d+\.\d+\.(\d+)/.exec(version)?.[1] ?? 0);

function onPath(minor: string): string[] {
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  return folders.map((folder) => join(folder, `python${minor}`));
}

async function ofPyenv(minor: string): Promise<string[]> {
  const versions = join(process.env["PYENV_ROOT"] ?? join(homedir(), ".pyenv"), "versions");
  const names = await readdir(versions).catch(() => []);
  return names
    .filter((name) => name === minor || name.startsWith(`${minor}.`))
    .map((name) => join(versions, name, "bin", `python${minor}`));
}

/** Where uv puts those that it has brought: its documentation, "Storage", "Python versions". */
async function ofUv(minor: string): Promise<string[]> {
  const data = process.env["XDG_DATA_HOME"] ?? join(homedir(), ".local", "share");
  const folder = process.env["UV_PYTHON_INSTALL_DIR"] ?? join(data, "uv", "python");
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((name) => name.startsWith(`cpython-${minor}.`))
    .map((name) => join(folder, name, "bin", `python${minor}`));
}
