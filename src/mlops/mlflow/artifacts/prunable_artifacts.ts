import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { PrunableStore, SetAside, StoredItem } from "../../../keeping/prunable_store.ts";
import { usageOfPaths } from "../../../platform/disk/disk_usage.ts";
import { putAllBack, setAside } from "../../../platform/disk/set_aside.ts";

const DIGEST = /^[0-9a-f]{64}$/;

/** Fetched artifacts, each in a folder named by its digest. Whatever is gone is fetched again from the registry. */
export class PrunableArtifacts implements PrunableStore {
  readonly kind = "artifacts";
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async list(): Promise<StoredItem[]> {
    const entries = await readdir(this.#directory, { withFileTypes: true }).catch(() => []);
    const folders = entries.filter((entry) => entry.isDirectory() && DIGEST.test(entry.name));
    return Promise.all(
      folders.map(async ({ name }): Promise<StoredItem> => {
        const { bytes, changed_ms } = await usageOfPaths([join(this.#directory, name)]);
        const used_at = new Date(changed_ms).toISOString();
        return { kind: this.kind, name, bytes, used_at, held: null, needs: [] };
      }),
    );
  }

  /** A registration that fetches it meanwhile has no version yet, and renews its time. */
  async heldNow(): Promise<string | null> {
    return null;
  }

  async setAside(name: string): Promise<SetAside | null> {
    return setAside(this.#directory, [join(this.#directory, name)]);
  }

  async tidy(): Promise<void> {
    await putAllBack(this.#directory);
  }
}
