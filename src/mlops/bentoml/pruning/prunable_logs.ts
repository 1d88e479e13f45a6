import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { PrunableStore, SetAside, StoredItem } from "../../../keeping/prunable_store.ts";
import { usageOfPaths } from "../../../platform/disk/disk_usage.ts";
import { putAllBack, setAside } from "../../../platform/disk/set_aside.ts";
import type { ServedProcesses } from "../servers/served_process.ts";
import type { ServerRecords } from "../servers/server_record.ts";

export interface PrunableLogsOptions {
  runDirectory: string;
  records: Pick<ServerRecords, "all">;
  processes: Pick<ServedProcesses, "list">;
}

/** `bento-deploy_1.log`, `bento-deploy_1.replica-2.log.1`: what a server printed. */
const PRINTED = /^bento-([^.]+)(?:\..+)?\.log(?:\.\d+)?$/;
/** `deploy_1`, `deploy_1.2`; an earlier version kept `deploy_1.jsonl`. */
const PREDICTED = /^([^.]+)(?:\..+)?$/;

/** The logs of servers' output and predictions, by deployment. */
export class PrunableLogs implements PrunableStore {
  readonly kind = "logs";
  readonly #options: PrunableLogsOptions;

  constructor(options: PrunableLogsOptions) {
    this.#options = options;
  }

  async list(): Promise<StoredItem[]> {
    const running = await this.#running();
    const paths = await this.#pathsByDeployment();
    return Promise.all(
      [...paths].map(async ([name, files]): Promise<StoredItem> => {
        const { bytes, changed_ms } = await usageOfPaths(files);
        const held = running.has(name) ? "its server runs" : null;
        const used_at = new Date(changed_ms).toISOString();
        return { kind: this.kind, name, bytes, used_at, held, needs: [] };
      }),
    );
  }

  async heldNow(name: string): Promise<string | null> {
    return (await this.#running()).has(name) ? "its server runs" : null;
  }

  async setAside(name: string): Promise<SetAside | null> {
    const paths = (await this.#pathsByDeployment()).get(name) ?? [];
    return setAside(this.#options.runDirectory, paths);
  }

  async tidy(): Promise<void> {
    await putAllBack(this.#options.runDirectory);
  }

  async #running(): Promise<Set<string>> {
    const { records, processes } = this.#options;
    const [recorded, living] = await Promise.all([records.all(), processes.list()]);
    const names = [...recorded.flatMap((one) => [one.deployment_id, one.process]), ...living];
    return new Set(names.map((name) => name.split(".", 1)[0] ?? name));
  }

  async #pathsByDeployment(): Promise<Map<string, string[]>> {
    const { runDirectory } = this.#options;
    const paths = new Map<string, string[]>();
    const add = (name: string | undefined, path: string) => {
      if (name !== undefined) paths.set(name, [...(paths.get(name) ?? []), path]);
    };
    for (const file of await namesIn(runDirectory)) add(PRINTED.exec(file)?.[1], join(runDirectory, file));
    const predictions = join(runDirectory, "predictions");
    for (const file of await namesIn(predictions)) add(PREDICTED.exec(file)?.[1], join(predictions, file));
    return paths;
  }
}

const namesIn = (path: string): Promise<string[]> => readdir(path).catch(() => []);
