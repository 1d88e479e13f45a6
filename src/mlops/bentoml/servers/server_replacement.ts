import type { ServedProcesses } from "./served_process.ts";
import type { ServerRecord, ServerRecords } from "./server_record.ts";

import { formerOf, nextOf } from "../../replicas/server_names.ts";

/**
 * Replaces a deployment's server by another one. Cut off at any point, the deployment's own record still names a whole
 * server, and the same call carries the replacement on.
 */
export class ServerReplacement {
  readonly #records: ServerRecords;
  readonly #processes: ServedProcesses;

  constructor(records: ServerRecords, processes: ServedProcesses) {
    this.#records = records;
    this.#processes = processes;
  }

  /** Whether a replacement was begun whose former server has not ended yet. */
  async isUnfinished(deploymentId: string): Promise<boolean> {
    return (await this.#former(deploymentId)) !== null;
  }

  /** The server that was started under the next name becomes the deployment's. */
  async swap(deploymentId: string): Promise<void> {
    const [present, next] = await Promise.all([
      this.#records.read(deploymentId),
      this.#records.read(nextOf(deploymentId)),
    ]);
    if (next === null) return;
    if (present !== null && present.process !== next.process) {
      await this.#records.replace({ ...present, deployment_id: formerOf(deploymentId) });
    }
    await this.#records.replace({ ...next, deployment_id: deploymentId });
    await this.#records.remove(nextOf(deploymentId));
  }

  /** The server of this name becomes a former one, with nothing in its place. */
  async retire(name: string): Promise<void> {
    const present = await this.#records.read(name);
    if (present === null) return;
    await this.stopFormer(name);
    await this.#records.replace({ ...present, deployment_id: formerOf(name) });
    await this.#records.remove(name);
  }

  async stopFormer(deploymentId: string): Promise<void> {
    const former = await this.#former(deploymentId);
    if (former !== null) await this.#processes.stop(former.process);
    await this.#records.remove(formerOf(deploymentId));
  }

  async stopNext(deploymentId: string): Promise<void> {
    const [present, next] = await Promise.all([
      this.#records.read(deploymentId),
      this.#records.read(nextOf(deploymentId)),
    ]);
    if (next !== null && next.process !== present?.process) await this.#processes.stop(next.process);
    await this.#records.remove(nextOf(deploymentId));
  }

  async #former(deploymentId: string): Promise<ServerRecord | null> {
    const [present, former] = await Promise.all([
      this.#records.read(deploymentId),
      this.#records.read(formerOf(deploymentId)),
    ]);
    return former === null || former.process === present?.process ? null : former;
  }
}
