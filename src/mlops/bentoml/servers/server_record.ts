import { randomUUID } from "node:crypto";
import { link, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { EndpointCreationError, ServiceRefusedError } from "../../../agents/model_deployer/errors.ts";
import { hasCode, isMissing } from "../../../platform/system_errors.ts";
import { deploymentOf } from "../../replicas/server_names.ts";

const recordSchema = z.strictObject({
  deployment_id: z.string(),
  bento_tag: z.string(),
  port: z.int().min(1).max(65_535),
  /** By this machine's clock, which may be set: it tells one start from another, and is no measure of age. */
  started_at: z.iso.datetime(),
  /** The deployment that the process was started for, which differs from the owner after a handover. */
  process: z.string(),
  /** The deployer brings it, so that the server tells it what it tells nobody else; absent in records of earlier versions. */
  secret: z.string().optional(),
  /** Since when it is this deployment's; left out where it was started for it. */
  handed_over_at: z.iso.datetime().optional(),
});
export type ServerRecord = z.infer<typeof recordSchema>;

/** One small file a server beside its process record, so that any process can find and observe it. */
export class ServerRecords {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** @throws ServiceRefusedError for a file that is no record. */
  async read(deploymentId: string): Promise<ServerRecord | null> {
    const path = this.#pathOf(deploymentId);
    const text = await readFile(path, "utf8").catch((cause: unknown) => {
      if (isMissing(cause)) return null;
      throw new ServiceRefusedError("bentoml", `${path} cannot be read`, { cause });
    });
    if (text === null) return null;
    try {
      return recordSchema.parse(JSON.parse(text));
    } catch (cause) {
      throw new ServiceRefusedError("bentoml", `${path} is no server record: stop the deployment`, { cause });
    }
  }

  /** Writes the record unless there is one. Of several at the same time one wins, and all get the winner's. */
  async claim(record: ServerRecord): Promise<ServerRecord> {
    const scratch = await this.#writeScratch(record);
    try {
      await link(scratch, this.#pathOf(record.deployment_id));
      return record;
    } catch (cause) {
      if (!hasCode(cause, "EEXIST"))
        throw new ServiceRefusedError("bentoml", "a server record cannot be written", { cause });
      return (await this.read(record.deployment_id)) ?? this.claim(record);
    } finally {
      await rm(scratch, { force: true });
    }
  }

  /** The deployment that has the process of this name; null where none has. */
  async ownerOf(process: string): Promise<string | null> {
    const ids = await this.#ids();
    const own = [process, ...ids.filter((id) => id !== process)];
    for (const id of own) if ((await this.read(id))?.process === process) return id;
    return null;
  }

  /**
   * The process that this deployment may end; null where the process of its name was handed over to another deployment.
   */
  async processOf(deploymentId: string): Promise<string | null> {
    const record = await this.read(deploymentId);
    if (record !== null) return record.process;
    return (await this.ownerOf(deploymentId)) === null ? deploymentId : null;
  }

  /** A deployment whose first server was handed over has its next one under another name. */
  async freeProcess(deploymentId: string): Promise<string> {
    for (let count = 1; ; count += 1) {
      const name = count === 1 ? deploymentId : `${deploymentId}.${count}`;
      const owner = await this.ownerOf(name);
      if (owner === null || owner === deploymentId) return name;
    }
  }

  /** Names of this deployment's servers that have a record. */
  async namesOf(deploymentId: string): Promise<string[]> {
    assertDeploymentId(deploymentId);
    return (await this.#ids()).filter((name) => deploymentOf(name) === deploymentId);
  }

  /** Every record that can be read. */
  async all(): Promise<ServerRecord[]> {
    const records = await Promise.all((await this.#ids()).map((id) => this.read(id)));
    return records.filter((record) => record !== null);
  }

  async #ids(): Promise<string[]> {
    const files = await readdir(this.#directory).catch((cause: unknown) => {
      if (isMissing(cause)) return [];
      throw new ServiceRefusedError("bentoml", `${this.#directory} cannot be read`, { cause });
    });
    return files.flatMap((file) => (/^[^.].*\.json$/.test(file) ? [file.slice(0, -".json".length)] : []));
  }

  async replace(record: ServerRecord): Promise<void> {
    await rename(await this.#writeScratch(record), this.#pathOf(record.deployment_id));
  }

  async remove(deploymentId: string): Promise<void> {
    await rm(this.#pathOf(deploymentId), { force: true });
  }

  async #writeScratch(record: ServerRecord): Promise<string> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const scratch = join(this.#directory, `.${randomUUID()}.tmp`);
    await writeFile(scratch, JSON.stringify(record), { mode: 0o600 });
    return scratch;
  }

  #pathOf(deploymentId: string): string {
    return join(this.#directory, `${assertDeploymentId(deploymentId)}.json`);
  }
}

/** Deployment ids become file and process names. @throws EndpointCreationError */
export function assertDeploymentId(deploymentId: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9._-]{0,179}$/.test(deploymentId)) return deploymentId;
  throw new EndpointCreationError(
    `deployment id ${JSON.stringify(deploymentId.slice(0, 200))} cannot name a server: use letters, digits, ".", "_" and "-", at most 180`,
  );
}
