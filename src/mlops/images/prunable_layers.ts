import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { PrunableStore, SetAside, StoredItem } from "../../keeping/prunable_store.ts";
import { usageOfPaths } from "../../platform/disk/disk_usage.ts";
import { putAllBack, setAside } from "../../platform/disk/set_aside.ts";

const LAYER = /^environment-[0-9a-f]{20}\.tar\.gz$/;

/** The packed packages of images, a cache: one that is gone is made again by the next image that needs it. */
export class PrunableLayers implements PrunableStore {
  readonly kind = "images";
  readonly #directory: string;

  constructor(cacheDirectory: string) {
    this.#directory = join(cacheDirectory, "images");
  }

  async list(): Promise<StoredItem[]> {
    const names = (await readdir(this.#directory).catch(() => [])).filter((name) => LAYER.test(name));
    return Promise.all(
      names.map(async (name): Promise<StoredItem> => {
        const { bytes, changed_ms } = await usageOfPaths(this.#pathsOf(name));
        const used_at = new Date(changed_ms).toISOString();
        return { kind: this.kind, name, bytes, used_at, held: null, needs: [] };
      }),
    );
  }

  /** A layer that is being made or sent renews its time. */
  async heldNow(): Promise<string | null> {
    return null;
  }

  async setAside(name: string): Promise<SetAside | null> {
    return setAside(this.#directory, this.#pathsOf(name));
  }

  async tidy(): Promise<void> {
    await putAllBack(this.#directory);
  }

  #pathsOf(name: string): string[] {
    const path = join(this.#directory, name);
    return [`${path}.json`, path];
  }
}
