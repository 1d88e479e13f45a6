import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { PrunableStore, SetAside, StoredItem } from "../../../keeping/prunable_store.ts";
import { usageOfPaths } from "../../../platform/disk/disk_usage.ts";
import { putAllBack, setAside } from "../../../platform/disk/set_aside.ts";
import { parseBentoTag } from "../bento_tag.ts";
import { servedBy } from "../packaging/bento_environment.ts";
import { BentoStore } from "../packaging/bento_store.ts";
import type { ServerRecords } from "../servers/server_record.ts";

export interface PrunableBentosOptions {
  home: string;
  /** Where environments are. */
  cacheDirectory: string;
  records: Pick<ServerRecords, "all">;
}

/** The bentos of a home. A folder that holds no whole bento of ours is nobody's to remove. */
export class PrunableBentos implements PrunableStore {
  readonly kind = "bentos";
  readonly #store: BentoStore;
  readonly #cache: string;
  readonly #records: PrunableBentosOptions["records"];

  constructor({ home, cacheDirectory, records }: PrunableBentosOptions) {
    this.#cache = cacheDirectory;
    this.#store = new BentoStore(home);
    this.#records = records;
  }

  async list(): Promise<StoredItem[]> {
    const items: StoredItem[] = [];
    const root = join(this.#store.home, "bentos");
    const served = await this.#servedTags();
    for (const name of await foldersIn(root)) {
      for (const version of await foldersIn(join(root, name))) {
        const tag = `${name}:${version}`;
        const found = await this.#store.find({ name, version });
        if (found === null) continue;
        const { bytes, changed_ms } = await usageOfPaths([found.path]);
        const { environments, wheels } = await servedBy(found, this.#cache);
        items.push({
          ...{ kind: this.kind, name: tag, bytes, used_at: new Date(changed_ms).toISOString() },
          held: served.get(tag) ?? null,
          needs: [
            ...environments.map((name) => ({ kind: "environments" as const, name })),
            ...(wheels === null ? [] : [{ kind: "wheels" as const, name: wheels }]),
          ],
        });
      }
    }
    return items;
  }

  async heldNow(name: string): Promise<string | null> {
    return (await this.#servedTags()).get(name) ?? null;
  }

  async setAside(name: string): Promise<SetAside | null> {
    return setAside(this.#store.home, [this.#store.pathOf(parseBentoTag(name))]);
  }

  async tidy(): Promise<void> {
    await putAllBack(this.#store.home);
    await this.#store.removeAbandonedScratch();
  }

  async #servedTags(): Promise<Map<string, string>> {
    const records = await this.#records.all();
    return new Map(
      records.map(({ bento_tag, deployment_id }) => [bento_tag, `a server of ${deployment_id} runs from it`]),
    );
  }
}

async function foldersIn(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
