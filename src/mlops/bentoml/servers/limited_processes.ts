import { createHash, randomUUID } from "node:crypto";
import { appendFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Resources, resourcesSchema } from "../../../agents/model_deployer/domain/entities.ts";
import { bytesOf, coresOf } from "../../../agents/model_deployer/domain/servers/quantities.ts";
import type { LimitsState } from "../../../agents/model_deployer/ports/model_server_port.ts";
import { processIds, processUsage, type ProcessUsage } from "../../../platform/processes/memory_room.ts";
import { ControlGroups, type LimitedGroup } from "../../../platform/processes/control_groups.ts";

/** With how often it was ended for its memory, and how long it was held back for its CPU. */
export type LimitedUsage = ProcessUsage & { out_of_memory: number; throttled_seconds: number | null };

/** The limits of a home's servers, each by the name of its process. */
export class LimitedProcesses {
  readonly #runDirectory: string;
  readonly #groups: ControlGroups;

  constructor(runDirectory: string, groupParent?: string) {
    this.#runDirectory = runDirectory;
    const name = createHash("sha256").update(runDirectory).digest("hex").slice(0, 12);
    this.#groups = new ControlGroups({ name, ...(groupParent !== undefined && { parent: groupParent }) });
  }

  /** The group for a process that is to be started. */
  async groupFor(name: string, resources: Resources): Promise<LimitedGroup> {
    // Without it the server waits for the database after a restart of the machine, and no more.
    await this.#keep(name, resources).catch(() => undefined);
    const { cpu_limit, memory_limit } = resources;
    return this.#groups.limit(name, { cores: coresOf(cpu_limit), memory_bytes: bytesOf(memory_limit) });
  }

  /** Holds one that runs to other limits from now on. */
  async limit(name: string, resources: Resources): Promise<void> {
    const group = await this.groupFor(name, resources);
    if ("reason" in group) return;
    for (const pid of await processIds(this.#runDirectory, name)) {
      // One that has ended meanwhile needs no limit.
      await appendFile(group.processes, `${pid}\n`).catch(() => null);
    }
  }

  async state(): Promise<LimitsState> {
    const group = await this.#groups.limit("probe", { cores: 1, memory_bytes: 1024 ** 3 });
    if ("reason" in group) return { enforced: false, reason: group.reason };
    await this.#groups.remove("probe");
    return { enforced: true };
  }

  /** Null where it does not run. */
  async usage(name: string): Promise<LimitedUsage | null> {
    const used = await processUsage(this.#runDirectory, name);
    if (used === null) return null;
    const [out_of_memory, throttled_seconds] = await Promise.all([
      this.#groups.outOfMemory(name),
      this.#groups.throttledSeconds(name),
    ]);
    return { ...used, out_of_memory, throttled_seconds };
  }

  async remove(name: string): Promise<void> {
    await rm(this.#keptAt(name), { force: true });
    await this.#groups.remove(name);
  }

  /** The limits that it was held to when it was last started or limited; null where that is not known. */
  async lastLimits(name: string): Promise<Resources | null> {
    try {
      return resourcesSchema.parse(JSON.parse(await readFile(this.#keptAt(name), "utf8")));
    } catch {
      return null;
    }
  }

  async #keep(name: string, resources: Resources): Promise<void> {
    const scratch = `${this.#keptAt(name)}.${randomUUID()}`;
    await mkdir(join(this.#runDirectory, "limits"), { recursive: true, mode: 0o700 });
    await writeFile(scratch, JSON.stringify(resources), { mode: 0o600 });
    await rename(scratch, this.#keptAt(name));
  }

  #keptAt(name: string): string {
    return join(this.#runDirectory, "limits", `${name}.json`);
  }
}
