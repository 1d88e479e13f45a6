import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isMissing } from "../../system_errors.ts";

/** The packages that a model's requirements were resolved to, for one Python. */
export interface RequirementLock {
  /** The version of `PythonInterpreter`. */
  python: string;
  /** Some package has no wheel and is built from its source. */
  builds: boolean;
  /** A requirements.txt with the hashes of all files; wheels of the artifact lie below `WHEELS`. */
  packages: string;
}

/** Stands for the address of the folder that wheels of the artifact are named from. */
export const WHEELS = "file://{artifact}";
/** The file beside a bento's service. */
export const LOCK_FILE = "requirements.lock";

const FIRST = /^# for Python (\S+), (wheels only|with packages built from source)\n/;

export function textOfLock({ python, builds, packages }: RequirementLock): string {
  return `# for Python ${python}, ${builds ? "with packages built from source" : "wheels only"}\n${packages}`;
}

/** The lock in a folder; null where there is none, or none that can be read. */
export async function lockIn(folder: string): Promise<RequirementLock | null> {
  const text = await readFile(join(folder, LOCK_FILE), "utf8").catch((cause: unknown) => {
    if (isMissing(cause)) return "";
    throw cause;
  });
  const found = FIRST.exec(text);
  if (found === null) return null;
  const [first, python = "", how] = found;
  return { python, builds: how !== "wheels only", packages: text.slice(first.length) };
}
