import { mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Where Linux shows its control groups of version 2. */
export const CONTROL_GROUPS = "/sys/fs/cgroup";

export interface GroupLimits {
  cores: number;
  memory_bytes: number;
}

/** The file that a process writes its id into to be limited, or why there is none. */
export type LimitedGroup = { processes: string } | { reason: string };

/** The period over which a CPU quota is counted, in microseconds: the kernel's own default. */
const PERIOD = 100_000;

/**
 * One control group for each limited process, below `parent`: the root of the hierarchy where this process is root, or a
 * group that was delegated to its user. Files and their meaning: the kernel's admin-guide/cgroup-v2.
 */
export class ControlGroups {
  readonly #parent: string;
  readonly #own: string;

  /** @param name tells the groups of several homes apart */
  constructor({ parent = CONTROL_GROUPS, name }: { parent?: string; name: string }) {
    this.#parent = parent;
    this.#own = join(parent, `model-deployer-${name}`);
  }

  /** Makes the group, or gives the one that there is these limits. */
  async limit(name: string, { cores, memory_bytes }: GroupLimits): Promise<LimitedGroup> {
    const missing = await this.#missing();
    if (missing !== null) return { reason: missing };
    const group = join(this.#own, name);
    try {
      await mkdir(this.#own, { recursive: true });
      for (const above of [this.#parent, this.#own]) {
        await writeFile(join(above, "cgroup.subtree_control"), "+cpu +memory");
      }
      await mkdir(group, { recursive: true });
      await writeFile(join(group, "memory.max"), String(memory_bytes));
      // Without it a process over its limit is swapped out instead, and everybody waits for the disk.
      await writeFile(join(group, "memory.swap.max"), "0").catch(() => null);
      await writeFile(join(group, "cpu.max"), `${Math.max(1000, Math.round(cores * PERIOD))} ${PERIOD}`);
      return { processes: join(group, "cgroup.procs") };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return { reason: `no control group can be made in ${this.#parent}: ${why}` };
    }
  }

  /** How often the kernel ended a process of the group for its memory; 0 where there is no group. */
  async outOfMemory(name: string): Promise<number> {
    const events = await textOf(join(this.#own, name, "memory.events"));
    return Number(/^oom_kill (\d+)$/m.exec(events ?? "")?.[1] ?? 0);
  }

  /** Seconds in which the kernel held its threads back for their CPU limit; null where there is none. */
  async throttledSeconds(name: string): Promise<number | null> {
    const stat = await textOf(join(this.#own, name, "cpu.stat"));
    const microseconds = /^throttled_usec (\d+)$/m.exec(stat ?? "")?.[1];
    return microseconds === undefined ? null : Number(microseconds) / 1_000_000;
  }

  /** Once its processes have ended. */
  async remove(name: string): Promise<void> {
    // A group that still has a process, or was never made, stays as it is.
    await rmdir(join(this.#own, name)).catch(() => null);
  }

  /** Why nothing can be limited here; null where it can. */
  async #missing(): Promise<string | null> {
    const controllers = await textOf(join(this.#parent, "cgroup.controllers"));
    if (controllers === null) {
      const has = (await textOf(join(this.#parent, "memory", "cgroup.procs"))) !== null;
      return has
        ? "this machine's control groups are of version 1, and limits need version 2"
        : `${this.#parent} has no control groups of version 2`;
    }
    const lacking = ["cpu", "memory"].filter((name) => !controllers.split(/\s+/).includes(name));
    return lacking.length === 0
      ? null
      : `the control group ${this.#parent} has no ${lacking.join(" and no ")}: name a delegated one as MODEL_DEPLOYER_CONTROL_GROUP`;
  }
}

async function textOf(path: string): Promise<string | null> {
  return readFile(path, "utf8").catch(() => null);
}
