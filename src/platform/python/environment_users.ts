import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isMissing } from "../system_errors.ts";

const FOLDER = ".homes";

/**
 * Environments are shared by all homes of a machine, so each home that uses one says so: in a file named by the home, with
 * its path. Written before the environment is looked for, so that whoever removes it sees the claim or is seen.
 */
export class EnvironmentUsers {
  readonly #directory: string;

  /** @param environments the folder that holds the environments */
  constructor(environments: string) {
    this.#directory = join(environments, FOLDER);
  }

  /** Renews the claim where there is one, which needs no room on the disk. */
  async claim(environment: string, home: string): Promise<void> {
    const folder = join(this.#directory, environment);
    const path = join(folder, nameOf(home));
    const now = new Date();
    try {
      await utimes(path, now, now);
    } catch (error) {
      if (!isMissing(error)) return;
      await mkdir(folder, { recursive: true });
      await writeFile(path, home);
    }
  }

  async release(environment: string, home: string): Promise<void> {
    await rm(join(this.#directory, environment, nameOf(home)), { force: true });
  }

  /** Homes that have claimed it and are still there, with when they did last. */
  async of(environment: string): Promise<{ home: string; at_ms: number }[]> {
    const folder = join(this.#directory, environment);
    const names = await readdir(folder).catch(() => []);
    const found = await Promise.all(
      names.map(async (name) => {
        const path = join(folder, name);
        const [home, at] = await Promise.all([
          readFile(path, "utf8").catch(() => ""),
          stat(path).then(
            ({ mtimeMs }) => mtimeMs,
            () => 0,
          ),
        ]);
        const isThere = home !== "" && (await stat(home).catch(() => null)) !== null;
        return isThere ? { home, at_ms: at } : null;
      }),
    );
    return found.filter((one) => one !== null);
  }
}

const nameOf = (home: string): string => createHash("sha256").update(home).digest("hex").slice(0, 16);
