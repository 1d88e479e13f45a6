import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { logPath } from "../../../platform/processes/managed_process.ts";
import { assertDeploymentId } from "./server_record.ts";

const prefix = "bento-";

/** The name that a server's process is recorded under. @throws EndpointCreationError */
export function processNameOf(deploymentId: string): string {
  return `${prefix}${assertDeploymentId(deploymentId)}`;
}

/** The deployment whose server has this name; null where it is another program's. */
export function deploymentOfProcess(name: string): string | null {
  return name.startsWith(prefix) ? name.slice(prefix.length) : null;
}

/** Where the servers of one run directory write. */
export class ServerFolders {
  readonly runDirectory: string;

  constructor(runDirectory: string) {
    this.runDirectory = resolve(runDirectory);
  }

  /** Goes when the server is stopped. */
  homeOf(deploymentId: string): string {
    return join(this.runDirectory, "homes", assertDeploymentId(deploymentId));
  }

  temporaryOf(deploymentId: string): string {
    return join(this.homeOf(deploymentId), "tmp");
  }

  workingOf(deploymentId: string): string {
    return join(this.homeOf(deploymentId), "work");
  }

  predictionsOf(deploymentId: string): string {
    return join(this.runDirectory, "predictions", assertDeploymentId(deploymentId));
  }

  predictionLogOf(deploymentId: string): string {
    const folder = this.predictionsOf(deploymentId);
    // A server that an earlier version started goes on in the file that it has.
    const former = `${folder}.jsonl`;
    return existsSync(former) && !existsSync(folder) ? former : join(folder, "predictions.jsonl");
  }

  logOf(deploymentId: string): string {
    return logPath(this.runDirectory, processNameOf(deploymentId));
  }

  async make(deploymentId: string): Promise<void> {
    const folders = [
      this.temporaryOf(deploymentId),
      this.workingOf(deploymentId),
      this.predictionsOf(deploymentId),
    ];
    await Promise.all(folders.map((folder) => mkdir(folder, { recursive: true })));
  }
}
