import { mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import type { PrunableStore, SetAside, StoredItem } from "../../keeping/prunable_store.ts";
import { usageOfPaths } from "../disk/disk_usage.ts";
import { putAllBack, setAside } from "../disk/set_aside.ts";
import { textOfSystemFile } from "../processes/system_files.ts";
import { progressPath } from "../work/work_progress.ts";
import { EnvironmentUsers } from "./environment_users.ts";

export interface PrunableEnvironmentsOptions {
  cacheDirectory: string;
  home: string;
}

const MODEL = /^model-[0-9a-f]{20}$/;

/**
 * The environments of models that this home has used and no other home uses; those of the tools stay. One that no home has
 * claimed may be anybody's.
 */
export class PrunableEnvironments implements PrunableStore {
  readonly kind = "environments";
  readonly #directory: string;
  readonly #home: string;
  readonly #users: EnvironmentUsers;

  constructor({ cacheDirectory, home }: PrunableEnvironmentsOptions) {
    this.#directory = join(resolve(cacheDirectory), "environments");
    this.#home = resolve(home);
    this.#users = new EnvironmentUsers(this.#directory);
  }

  async list(): Promise<StoredItem[]> {
    const names = (await readdir(this.#directory).catch(() => [])).filter((name) => MODEL.test(name));
    const items = await Promise.all(names.map((name) => this.#item(name)));
    return items.filter((item) => item !== null);
  }

  async #item(name: string): Promise<StoredItem | null> {
    const own = (await this.#users.of(name)).find(({ home }) => home === this.#home);
    if (own === undefined) return null;
    const path = join(this.#directory, name);
    const changed_ms = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => null,
    );
    if (changed_ms === null) return null;
    const bytes = await this.#sizeOf(name);
    const used_at = new Date(Math.max(own.at_ms, changed_ms)).toISOString();
    return { kind: this.kind, name, bytes, used_at, held: await this.heldNow(name), needs: [] };
  }

  /** Measured once, for it has tens of thousands of files and does not grow. Those that the installer shares count as its own. */
  async #sizeOf(name: string): Promise<number> {
    const kept = join(this.#directory, ".sizes", name);
    const known = Number(await readFile(kept, "utf8").catch(() => ""));
    if (Number.isSafeInteger(known) && known > 0) return known;
    const { bytes } = await usageOfPaths([join(this.#directory, name)]);
    await mkdir(dirname(kept), { recursive: true });
    await writeFile(kept, String(bytes));
    return bytes;
  }

  async heldNow(name: string): Promise<string | null> {
    const other = (await this.#users.of(name)).find(({ home }) => home !== this.#home);
    if (other !== undefined) return `${other.home} uses it too`;
    const pid = await processIn(join(this.#directory, name));
    return pid === null ? null : `process ${pid} runs in it`;
  }

  async setAside(name: string): Promise<SetAside | null> {
    const moved = await setAside(this.#directory, [join(this.#directory, name)]);
    if (moved === null) return null;
    return {
      restore: () => moved.restore(),
      discard: async () => {
        await moved.discard();
        await rm(progressPath(this.#directory, name), { force: true });
        await rm(join(this.#directory, ".sizes", name), { force: true });
        await this.#users.release(name, this.#home);
      },
    };
  }

  async tidy(): Promise<void> {
    await putAllBack(this.#directory);
  }
}

/** A process that was started with a program of this folder; null where there is none, or where nothing tells. */
async function processIn(folder: string): Promise<number | null> {
  const entries = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of entries) {
    const words = await textOfSystemFile(`/proc/${pid}/cmdline`);
    if (words?.includes(`${folder}/`) === true) return Number(pid);
  }
  return null;
}
