import { randomUUID } from "node:crypto";
import { linkSync, readdirSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { isDiskFull, typedFileError, withRoom } from "../../agents/model_deployer/file_errors.ts";
import { hasCode, isMissing } from "../../platform/system_errors.ts";

/** Somebody has claimed a newer generation; nothing was published. Never leaves the adapter. */
export interface Superseded {
  outcome: "superseded";
  by: number;
}

/** The five file operations that the fence rests on; each must be atomic, as POSIX has them within one file system. */
export interface FenceFiles {
  writeFile(path: string, content: string, options: { mode: number; flag: "w" | "wx" }): Promise<void>;
  readdir(folder: string): Promise<string[]>;
  rename(from: string, to: string): Promise<void>;
  link(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
}

/**
 * Synchronous calls, some ten microseconds each on files this small. Through Node's thread pool one file costs three
 * hand-overs between threads, for which a rollback on a busy machine waits longest.
 */
const directFiles: FenceFiles = {
  writeFile: async (path, content, options) => {
    writeFileSync(path, content, options);
  },
  readdir: async (folder) => readdirSync(folder),
  rename: async (from, to) => {
    renameSync(from, to);
  },
  link: async (from, to) => {
    linkSync(from, to);
  },
  unlink: async (path) => {
    unlinkSync(path);
  },
};

/**
 * File operations that retry on a full disk, once for each piece of room that `makeRoom` frees.
 * @throws DiskFullError once there is none
 */
export function filesWithRoom(
  makeRoom: (() => boolean) | undefined,
  files: FenceFiles = directFiles,
): FenceFiles {
  const writeFile: FenceFiles["writeFile"] = (path, content, options) =>
    withRoom(makeRoom, async () => {
      try {
        return await files.writeFile(path, content, options);
      } catch (error) {
        // Only a file that this call was to create may be removed when it was half written.
        if (isDiskFull(error) && options.flag === "wx") await files.unlink(path).catch(() => undefined);
        throw typedFileError(error, path);
      }
    });
  return { ...files, writeFile };
}

export interface FenceFolders {
  /** One empty file for each claimed generation. */
  claims: string;
  /** Contents on their way into force, on the same file system as their targets. */
  pending: string;
}

/**
 * Keeps an older generation from ever replacing a newer one's files, without a lock, so that a process that was
 * stopped or killed at any point blocks nobody and, woken later, changes nothing.
 *
 * `claim(g)` leaves a mark for g, then removes all that lower generations have pending. `publish(g)` lays down its pending
 * file, then looks for higher marks, then renames. A lower generation's pending file is either there before the claim's
 * removal, and then its rename finds no source, or is made after the mark, and then its look finds the mark.
 */
export class GenerationFence {
  readonly #folders: FenceFolders;
  readonly #files: FenceFiles;

  constructor(folders: FenceFolders, files: FenceFiles = directFiles) {
    this.#folders = folders;
    this.#files = files;
  }

  async prepare(): Promise<void> {
    await mkdir(this.#folders.claims, { recursive: true, mode: 0o700 });
    await mkdir(this.#folders.pending, { recursive: true, mode: 0o700 });
  }

  /** Once this returns `claimed`, no lower generation can publish any more. The same generation may claim again. */
  async claim(generation: number): Promise<{ outcome: "claimed" } | Superseded> {
    const mark = join(this.#folders.claims, String(generation));
    await this.#files.writeFile(mark, "", { mode: 0o600, flag: "w" });
    const claims = await this.#generationsIn(this.#folders.claims);
    const newest = highest(claims);
    if (newest > generation) return { outcome: "superseded", by: newest };
    for (const claim of claims) if (claim.generation < generation) await this.#removeIfThere(claim.path);
    for (const pending of await this.#generationsIn(this.#folders.pending)) {
      if (pending.generation < generation) await this.#removeIfThere(pending.path);
    }
    return { outcome: "claimed" };
  }

  /** Puts the content in the target's place, whole, if this claimed generation is still the newest. */
  async publish(
    generation: number,
    target: string,
    content: string,
  ): Promise<{ outcome: "published" } | Superseded> {
    const pending = await this.#layDown(generation, content);
    const newest = highest(await this.#generationsIn(this.#folders.claims));
    if (newest > generation) {
      await this.#removeIfThere(pending);
      return { outcome: "superseded", by: newest };
    }
    try {
      await this.#files.rename(pending, target);
      return { outcome: "published" };
    } catch (error) {
      if (!isMissing(error)) throw error;
      return { outcome: "superseded", by: highest(await this.#generationsIn(this.#folders.claims)) };
    }
  }

  /** Writes a file that is not there yet, whole; false when there is one. */
  async createOnce(target: string, content: string): Promise<boolean> {
    const pending = await this.#layDown(0, content);
    try {
      await this.#files.link(pending, target);
      return true;
    } catch (error) {
      if (hasCode(error, "EEXIST")) return false;
      throw error;
    } finally {
      await this.#removeIfThere(pending);
    }
  }

  async #layDown(generation: number, content: string): Promise<string> {
    const path = join(this.#folders.pending, `${generation}.${randomUUID()}`);
    await this.#files.writeFile(path, content, { mode: 0o600, flag: "wx" });
    return path;
  }

  async #generationsIn(folder: string): Promise<GenerationFile[]> {
    const names = await this.#files.readdir(folder);
    return names.flatMap((name) => {
      const generation = /^(\d+)(?:\.|$)/.exec(name)?.[1];
      return generation === undefined ? [] : [{ generation: Number(generation), path: join(folder, name) }];
    });
  }

  async #removeIfThere(path: string): Promise<void> {
    try {
      await this.#files.unlink(path);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
}

interface GenerationFile {
  generation: number;
  path: string;
}

function highest(files: GenerationFile[]): number {
  return Math.max(-1, ...files.map((file) => file.generation));
}
