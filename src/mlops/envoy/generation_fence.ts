import { randomUUID } from "node:crypto";
import { link, mkdir, readdir, rename, unlink, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Somebody has claimed a newer generation; nothing was published. Never leaves the adapter. */
export interface Superseded {
  outcome: "superseded";
  by: number;
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

  constructor(folders: FenceFolders) {
    this.#folders = folders;
  }

  async prepare(): Promise<void> {
    await mkdir(this.#folders.claims, { recursive: true, mode: 0o700 });
    await mkdir(this.#folders.pending, { recursive: true, mode: 0o700 });
  }

  /** Once this returns `claimed`, no lower generation can publish any more. The same generation may claim again. */
  async claim(generation: number): Promise<{ outcome: "claimed" } | Superseded> {
    await writeFile(join(this.#folders.claims, String(generation)), "", { mode: 0o600 });
    const claims = await generationsIn(this.#folders.claims);
    const newest = highest(claims);
    if (newest > generation) return { outcome: "superseded", by: newest };
    for (const claim of claims) if (claim.generation < generation) await removeIfThere(claim.path);
    for (const pending of await generationsIn(this.#folders.pending)) {
      if (pending.generation < generation) await removeIfThere(pending.path);
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
    const newest = highest(await generationsIn(this.#folders.claims));
    if (newest > generation) {
      await removeIfThere(pending);
      return { outcome: "superseded", by: newest };
    }
    try {
      await rename(pending, target);
      return { outcome: "published" };
    } catch (error) {
      if (!isMissing(error)) throw error;
      return { outcome: "superseded", by: highest(await generationsIn(this.#folders.claims)) };
    }
  }

  /** Writes a file that is not there yet, whole; false when there is one. */
  async createOnce(target: string, content: string): Promise<boolean> {
    const pending = await this.#layDown(0, content);
    try {
      await link(pending, target);
      return true;
    } catch (error) {
      if (hasCode(error, "EEXIST")) return false;
      throw error;
    } finally {
      await removeIfThere(pending);
    }
  }

  async #layDown(generation: number, content: string): Promise<string> {
    const path = join(this.#folders.pending, `${generation}.${randomUUID()}`);
    await writeFile(path, content, { mode: 0o600, flag: "wx" });
    return path;
  }
}

interface GenerationFile {
  generation: number;
  path: string;
}

async function generationsIn(folder: string): Promise<GenerationFile[]> {
  const names = await readdir(folder);
  return names.flatMap((name) => {
    const generation = /^(\d+)(?:\.|$)/.exec(name)?.[1];
    return generation === undefined ? [] : [{ generation: Number(generation), path: join(folder, name) }];
  });
}

function highest(files: GenerationFile[]): number {
  return Math.max(-1, ...files.map((file) => file.generation));
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

export function isMissing(error: unknown): boolean {
  return hasCode(error, "ENOENT");
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
