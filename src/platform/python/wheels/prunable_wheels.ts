import { lstat, readdir, rm, stat } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import type { PrunableStore, SetAside, StoredItem } from "../../../keeping/prunable_store.ts";
import { usageOfPaths } from "../../disk/disk_usage.ts";
import { namesAside, putAllBack, setAside } from "../../disk/set_aside.ts";
import { listed } from "./kept_wheels.ts";

const LIST = /^[0-9a-f]{20}\.json$/;

/**
 * The wheels of a home, by the lock that led to them. A wheel goes with the last list that names it, and then from the
 * cache, too, unless another home has it. Without them an environment is made anew from the index.
 */
export class PrunableWheels implements PrunableStore {
  readonly kind = "wheels";
  readonly #folder: string;
  readonly #cache: string;

  constructor({ folder, cacheDirectory }: { folder: string; cacheDirectory: string }) {
    this.#folder = resolve(folder);
    this.#cache = join(resolve(cacheDirectory), "wheels");
  }

  async list(): Promise<StoredItem[]> {
    const items = await Promise.all((await this.#names()).map((name) => this.#item(name)));
    return items.filter((item) => item !== null);
  }

  async #names(folder = this.#folder): Promise<string[]> {
    const entries = await readdir(folder).catch(() => []);
    return entries.filter((entry) => LIST.test(entry)).map((entry) => entry.slice(0, -".json".length));
  }

  async #item(name: string): Promise<StoredItem | null> {
    const list = join(this.#folder, `${name}.json`);
    const changed = await stat(list).catch(() => null);
    if (changed === null) return null;
    const { bytes } = await usageOfPaths([list, ...(await this.#wheels(name))]);
    const used_at = changed.mtime.toISOString();
    return { kind: this.kind, name, bytes, used_at, held: null, needs: [] };
  }

  /** Paths of the wheels that a list names. */
  async #wheels(name: string, folder = this.#folder): Promise<string[]> {
    const wheels = (await listed(join(folder, `${name}.json`))) ?? [];
    return wheels.map(({ file }) => join(folder, file));
  }

  /** Paths of the wheels that this list names and no other one. */
  async #own(name: string, folder = this.#folder): Promise<string[]> {
    const others = (await this.#names(folder)).filter((other) => other !== name);
    const named = new Set((await Promise.all(others.map((other) => this.#wheels(other, folder)))).flat());
    return (await this.#wheels(name, folder)).filter((path) => !named.has(path));
  }

  /** While they are aside, a list may have come that names one of them. */
  async heldNow(): Promise<string | null> {
    const aside = await namesAside(this.#folder);
    for (const name of await this.#names()) {
      const wheels = await this.#wheels(name);
      if (wheels.some((path) => aside.has(basename(path)))) return `the wheels ${name} have one in common`;
    }
    return null;
  }

  async setAside(name: string): Promise<SetAside | null> {
    const inCache = [join(this.#cache, `${name}.json`), ...(await this.#own(name, this.#cache))];
    const moved = await setAside(this.#folder, [
      join(this.#folder, `${name}.json`),
      ...(await this.#own(name)),
    ]);
    if (moved === null) return null;
    return {
      restore: () => moved.restore(),
      discard: async () => {
        await moved.discard();
        for (const path of inCache) {
          const found = await lstat(path).catch(() => null);
          if (found !== null && found.nlink === 1) await rm(path, { force: true });
        }
      },
    };
  }

  async tidy(): Promise<void> {
    await putAllBack(this.#folder);
  }
}
