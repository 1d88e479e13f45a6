import { createHash } from "node:crypto";
import { access, copyFile, link, mkdir, readFile, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { z } from "zod";
import { parsedJson } from "../../parsed_json.ts";
import { hasCode, isMissing } from "../../system_errors.ts";
import type { PythonInterpreter } from "../python_interpreter.ts";
import { type RequirementLock, textOfLock } from "../requirements/requirement_lock.ts";

const script = fileURLToPath(new URL("./keep_wheels.py", import.meta.url));
const wheelSchema = z.object({
  file: z.string().regex(/^[^/]+\.whl$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
const listSchema = z.object({ wheels: z.array(wheelSchema) });
type Wheel = z.infer<typeof wheelSchema>;

/** Names the wheels of what a lock has led to. */
export const wheelsOf = (lock: RequirementLock): string =>
  createHash("sha256").update(textOfLock(lock)).digest("hex").slice(0, 20);

/**
 * The wheels of what a lock has led to, kept where the bentos are: a pin that the index has no more, or a machine without a
 * network, keeps no earlier version from being served again. They are made in the cache, once for all models that share a
 * package, by `keep_wheels.py` after the environment is whole.
 */
export class KeptWheels {
  readonly #cache: string;
  readonly #folder: string;
  readonly #list: string;

  constructor({
    folder,
    cacheDirectory,
    lock,
  }: {
    folder: string;
    cacheDirectory: string;
    lock: RequirementLock;
  }) {
    this.#folder = resolve(folder);
    this.#cache = join(resolve(cacheDirectory), "wheels");
    this.#list = `${wheelsOf(lock)}.json`;
  }

  /** A requirements.txt with the hash of each; null unless every one is there. */
  async requirements(): Promise<string | null> {
    const wheels = await listed(join(this.#folder, this.#list));
    if (wheels === null) return null;
    const present = await Promise.all(wheels.map(({ file }) => isThere(join(this.#folder, file))));
    if (!present.every(Boolean)) return null;
    const line = ({ file, sha256 }: Wheel) =>
      `${pathToFileURL(join(this.#folder, file)).href} --hash=sha256:${sha256}\n`;
    return wheels.map(line).join("");
  }

  /** The script that makes and keeps them, run without the environment's packages. */
  async command({ executable }: PythonInterpreter, environment: string): Promise<string[]> {
    await mkdir(this.#folder, { recursive: true }).catch(() => undefined);
    const places = [this.#cache, join(this.#cache, this.#list), this.#folder];
    return [executable, "-I", "-S", script, environment, ...places];
  }

  /** Removes those that are not as they were made, so that they are made anew. */
  async removeDamaged(): Promise<void> {
    for (const { file, sha256 } of (await listed(join(this.#folder, this.#list))) ?? []) {
      const found = await readFile(join(this.#folder, file)).catch(() => "");
      if (createHash("sha256").update(found).digest("hex") === sha256) continue;
      for (const folder of [this.#folder, this.#cache]) await rm(join(folder, file), { force: true });
    }
  }

  /** Takes those over that the cache has; none where it has not all of them yet, or where there is no room. */
  async takeOver(): Promise<void> {
    if (await isThere(join(this.#folder, this.#list))) return;
    const wheels = await listed(join(this.#cache, this.#list));
    if (wheels === null) return;
    try {
      await mkdir(this.#folder, { recursive: true });
      for (const name of [...wheels.map(({ file }) => file), this.#list])
        await placed(join(this.#cache, name), join(this.#folder, name));
    } catch (error) {
      if (!hasCode(error, "ENOENT", "ENOSPC", "EDQUOT", "EROFS", "EACCES")) throw error;
    }
  }
}

/** The wheels that a list names; null where it is none. */
export async function listed(path: string): Promise<Wheel[] | null> {
  const text = await readFile(path, "utf8").catch((error: unknown) => {
    if (isMissing(error)) return null;
    throw error;
  });
  return text === null ? null : (listSchema.safeParse(parsedJson(text)).data?.wheels ?? null);
}

async function placed(source: string, target: string): Promise<void> {
  try {
    await link(source, target);
  } catch (error) {
    if (hasCode(error, "EEXIST")) return;
    const scratch = `${target}.${process.pid}`;
    await copyFile(source, scratch);
    await rename(scratch, target);
  }
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
