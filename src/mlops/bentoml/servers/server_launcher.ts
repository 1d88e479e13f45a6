import { EndpointCreationError } from "../../../agents/model_deployer/errors.ts";
import { withRoom } from "../../../agents/model_deployer/file_errors.ts";
import type { StartServer } from "../../../agents/model_deployer/ports/model_server_port.ts";
import { isPresent } from "../../replicas/server_names.ts";
import { parseBentoTag } from "../bento_tag.ts";
import type { BentoStore, StoredBento } from "../packaging/bento_store.ts";
import { assertBuiltFiles } from "../packaging/built_files.ts";
import { claimPort } from "./claimed_port.ts";
import type { ServedProcesses } from "./served_process.ts";
import { type BentoMLServerOptions, environmentOf, hasEnvironmentOf } from "./server_options.ts";
import type { ServerRecord, ServerRecords } from "./server_record.ts";

interface Parts {
  store: BentoStore;
  processes: ServedProcesses;
  records: ServerRecords;
}

/** Starts servers' processes, and waits for none to be ready. */
export class ServerLauncher {
  readonly #store: BentoStore;
  readonly #processes: ServedProcesses;
  readonly #records: ServerRecords;
  readonly #options: BentoMLServerOptions;

  constructor({ store, processes, records }: Parts, options: BentoMLServerOptions) {
    this.#store = store;
    this.#processes = processes;
    this.#records = records;
    this.#options = options;
  }

  /** The deployment's recorded server, started first if it does not run. */
  startOrAdopt(
    input: StartServer,
    bento: StoredBento,
    signal: AbortSignal,
  ): Promise<{ record: ServerRecord; adopted: boolean }> {
    const start = () => this.#startOrAdopt(input, bento, signal);
    return input.served_before === true ? this.#withRoom(start) : start();
  }

  #withRoom<T>(start: () => Promise<T>): Promise<T> {
    return withRoom(this.#options.makeRoom, start);
  }

  async #startOrAdopt(
    input: StartServer,
    bento: StoredBento,
    signal: AbortSignal,
  ): Promise<{ record: ServerRecord; adopted: boolean }> {
    const { deployment_id, bento_tag } = input;
    const present = await this.#records.read(deployment_id);
    const process = present?.process ?? (await this.#records.freeProcess(deployment_id));
    const running = await this.#processes.isRunning(process);
    if (running && present !== null) {
      if (present.bento_tag === bento_tag) {
        if (input.served_before !== true) await this.#processes.assertContained(present);
        await this.#processes.limit(process, input.resources);
        return { record: present, adopted: true };
      }
      throw new EndpointCreationError(
        `deployment ${deployment_id} already serves ${present.bento_tag}, not ${bento_tag}: stop it first`,
      );
    }
    if (running) await this.#processes.stop(process);
    await assertBuiltFiles(bento);
    const environment = await environmentOf(bento, this.#options, signal);
    const record = await claimPort({ deployment_id, bento_tag, process }, this.#records, this.#processes);
    await this.#store.touch(parseBentoTag(bento_tag));
    await this.#processes.start(record, { environment, bentoPath: bento.path }, input.resources);
    return { record, adopted: false };
  }

  /**
   * Starts the deployment's servers that are recorded and do not run, with the limits that they had. Makes no environment.
   * @returns whether any was started
   */
  async wake(deploymentId: string, signal: AbortSignal): Promise<boolean> {
    const names = (await this.#records.namesOf(deploymentId)).filter(isPresent);
    return (await Promise.all(names.map((name) => this.#wake(name, signal)))).includes(true);
  }

  async #wake(name: string, signal: AbortSignal): Promise<boolean> {
    const record = await this.#records.read(name);
    if (record === null || (await this.#processes.isRunning(record.process))) return false;
    const { bento_tag } = record;
    const bento = await this.#store.find(parseBentoTag(bento_tag));
    const resources = await this.#processes.lastLimits(record.process);
    if (bento === null || resources === null || !(await hasEnvironmentOf(bento, this.#options))) return false;
    const asked = { deployment_id: name, bento_tag, resources };
    return !(await this.#withRoom(() => this.#startOrAdopt(asked, bento, signal))).adopted;
  }
}
