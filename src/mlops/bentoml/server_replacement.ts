import type { ServedProcesses } from "./served_process.ts";
import type { ServerRecord, ServerRecords } from "./server_record.ts";

/** The name under which a server is started that is to take the place of this deployment's. */
export const nextOf = (deploymentId: string): string => `${deploymentId}.next`;
const formerOf = (deploymentId: string): string => `${deploymentId}.former`;

/** The deployment that a server belongs to, whichever of its servers it is. */
export const deploymentOf = (name: string): string => name.replace(/\.(next|former)$/, "");

/**
 * Two servers of one deployment while one takes the other's place. Cut off anywhere, the deployment's own record names a
 * server that is whole, and the same call again goes on.
 */
export class ServerReplacement {
  readonly #records: ServerRecords;
  readonly #processes: ServedProcesses;

  constructor(records: ServerRecords, processes: ServedProcesses) {
    this.#records = records;
    this.#processes = processes;
  }

  /** Whether the deployment has a server whose place another one has taken. */
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
