import { setTimeout as delay } from "node:timers/promises";
import { AgentError } from "../base/agent_error.ts";
import { STOPPABLE_STATUSES } from "./domain/entities.ts";
import { ConflictError, NotFoundError, ServiceUnavailableError } from "./errors.ts";
import type { Database } from "./parts.ts";
import type { CallOptions, ModelServer } from "./ports.ts";

const CLAIM_SECONDS = 45;
/** Shorter than its claim, so that nobody else begins while it may still have an effect. */
const STOP_MS = 30_000;
const STOP_RETRY_SECONDS = 5;
/** Between two looks at whether somebody else has stopped a server. */
const LOOK_MS = 200;

export interface DrainReport {
  /** Deployments whose server was stopped. */
  drained: string[];
  /** A sentence for each that could not be stopped, which is tried again. */
  problems: string[];
}

/** Stops servers whose time of being kept warm is over. */
export class ServerDraining {
  readonly #database: Pick<Database, "deployments">;
  readonly #server: ModelServer;

  constructor(parts: { database: Pick<Database, "deployments">; server: ModelServer }) {
    this.#database = parts.database;
    this.#server = parts.server;
  }

  /** One at a time, so that the claim on each is as fresh as can be. */
  async drain(limit: number): Promise<DrainReport> {
    const report: DrainReport = { drained: [], problems: [] };
    const { deployments } = this.#database;
    for (let count = 0; count < limit; count += 1) {
      const [claimed] = await deployments.claimForDraining({ limit: 1, claim_seconds: CLAIM_SECONDS });
      if (claimed === undefined) break;
      try {
        await this.#stop(claimed.deployment_id);
        report.drained.push(claimed.deployment_id);
      } catch (error) {
        if (!(error instanceof AgentError)) throw error;
        report.problems.push(`${claimed.deployment_id}: ${error.message}`);
      }
    }
    return report;
  }

  /**
   * Stops the server of one whose time is over, or waits for whoever is at it.
   * @throws ConflictError when it serves again
   */
  async drainOne(deploymentId: string, { signal }: CallOptions): Promise<{ drained: true }> {
    const { deployments } = this.#database;
    for (;;) {
      const claim = { limit: 1, claim_seconds: CLAIM_SECONDS, deployment_id: deploymentId };
      const [claimed] = await deployments.claimForDraining(claim);
      if (claimed !== undefined) await this.#stop(deploymentId);
      const deployment = await deployments.get(deploymentId);
      if (deployment === null) throw new NotFoundError(`Deployment ${deploymentId} does not exist.`);
      if (deployment.drained_at !== null) return { drained: true };
      if (!STOPPABLE_STATUSES.includes(deployment.status)) {
        throw new ConflictError(`${deploymentId} is ${deployment.status} again and keeps its server.`, {
          retryable: false,
        });
      }
      await pause(LOOK_MS, signal, deploymentId);
    }
  }

  async #stop(deploymentId: string): Promise<void> {
    const { deployments } = this.#database;
    try {
      await this.#server.stop(deploymentId, { signal: AbortSignal.timeout(STOP_MS) });
    } catch (error) {
      await deployments.giveUpDraining(deploymentId, { retry_seconds: STOP_RETRY_SECONDS });
      throw error;
    }
    await deployments.markDrained(deploymentId);
  }
}

async function pause(milliseconds: number, signal: AbortSignal, deploymentId: string): Promise<void> {
  try {
    await delay(milliseconds, undefined, { signal });
  } catch (cause) {
    const message = `The server of ${deploymentId} is being stopped by somebody else and has not ended yet.`;
    throw new ServiceUnavailableError("model server", message, { cause });
  }
}
