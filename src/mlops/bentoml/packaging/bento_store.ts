import { randomUUID } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ServiceUnavailableError } from "../../../agents/model_deployer/errors.ts";
import type { BentoTag } from "../bento_tag.ts";
import { readServiceSettings, type ServiceSettings } from "../service_settings.ts";
import { isAside } from "../../../platform/disk/set_aside.ts";
import { hasCode, isMissing } from "../../../platform/system_errors.ts";

export interface StoredBento {
  path: string;
  settings: ServiceSettings;
}

const ABANDONED_AFTER_MS = 24 * 3_600_000;
const ASIDE_LOOKS = 40;
const ASIDE_PAUSE_MS = 50;

/**
 * The folder that BentoML calls BENTOML_HOME, worked with by path: registering in it is not safe under concurrency, and
 * a build killed in it breaks every later listing. So a bento is built in a scratch home and arrives by one rename.
 */
export class BentoStore {
  readonly home: string;

  constructor(home: string) {
    this.home = resolve(home);
  }

  pathOf(tag: BentoTag): string {
    return join(this.home, "bentos", tag.name, tag.version);
  }

  /** The whole bento of exactly this tag, or null. */
  async find(tag: BentoTag): Promise<StoredBento | null> {
    const path = this.pathOf(tag);
    const settings = await readServiceSettings(path);
    return settings?.bento_tag === `${tag.name}:${tag.version}` ? { path, settings } : null;
  }

  /** The same; waits while it is set aside by a prune, which puts it back where an operation needs it. */
  async findSoon(tag: BentoTag): Promise<StoredBento | null> {
    for (let look = 1; look <= ASIDE_LOOKS; look += 1) {
      const found = await this.find(tag);
      if (found !== null || !(await isAside(this.home, tag.version))) return found;
      await delay(ASIDE_PAUSE_MS);
    }
    return this.find(tag);
  }

  /** Notes that it is used now, so that it does not count as old. A full disk or one that is read only leaves it as it is. */
  async touch(tag: BentoTag): Promise<void> {
    const now = new Date();
    await utimes(this.pathOf(tag), now, now).catch(() => undefined);
  }

  /** A new folder on the store's file system. The owner's pid is in its name, so that remains of the dead are told apart. */
  async makeScratch(): Promise<string> {
    const scratch = join(this.home, "scratch", `${process.pid}-${randomUUID()}`);
    await mkdir(scratch, { recursive: true });
    return scratch;
  }

  /** Removes what killed builds have left. */
  async removeAbandonedScratch(): Promise<void> {
    const parent = join(this.home, "scratch");
    const names = await readdir(parent).catch(() => []);
    for (const name of names) {
      const path = join(parent, name);
      if (await isAbandoned(name, path)) await rm(path, { recursive: true, force: true, maxRetries: 3 });
    }
  }

  /**
   * Moves a built bento into its place. Of several at the same time one wins.
   *
   * @returns what stands there now: the moved bento, or the one that was quicker.
   */
  async install(tag: BentoTag, builtPath: string): Promise<StoredBento> {
    const target = this.pathOf(tag);
    await mkdir(join(this.home, "bentos", tag.name), { recursive: true });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const present = await this.find(tag);
      if (present !== null) return present;
      try {
        await rename(builtPath, target);
      } catch (cause) {
        if (!isOccupied(cause)) {
          throw new ServiceUnavailableError("bento store", `bento cannot be moved to ${target}`, { cause });
        }
        // Another builder was quicker, which the next `find` shows, or the folder holds half a bento of a build inside
        // the store.
        if ((await this.find(tag)) === null) await this.#discard(target);
      }
    }
    const present = await this.find(tag);
    if (present !== null) return present;
    throw new ServiceUnavailableError(
      "bento store",
      `${target} is taken by something that is no bento: remove it`,
    );
  }

  /** By a rename first, so that no reader sees a folder that is being emptied. */
  async #discard(path: string): Promise<void> {
    const scratch = await this.makeScratch();
    try {
      await rename(path, join(scratch, "partial"));
    } catch (cause) {
      if (!isMissing(cause)) {
        throw new ServiceUnavailableError(
          "bento store",
          `${path} is no bento and cannot be moved away: remove it`,
          { cause },
        );
      }
    } finally {
      await rm(scratch, { recursive: true, force: true, maxRetries: 3 });
    }
  }
}

function isOccupied(cause: unknown): boolean {
  return hasCode(cause, "ENOTEMPTY", "EEXIST", "ENOTDIR");
}

async function isAbandoned(name: string, path: string): Promise<boolean> {
  const owner = Number(name.split("-")[0]);
  if (!Number.isInteger(owner) || owner < 1 || !isAlive(owner)) return true;
  const found = await stat(path).catch(() => null);
  return found !== null && Date.now() - found.mtimeMs > ABANDONED_AFTER_MS;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return hasCode(cause, "EPERM");
  }
}
