import { setTimeout as delay } from "node:timers/promises";
import { AgentError } from "../../base/agent_error.ts";
import { STOPPABLE_STATUSES } from "../domain/entities.ts";
import { ConflictError, NotFoundError, ServiceUnavailableError } from "../errors.ts";
import type { Database } from "../ports/parts.ts";
import type { CallOptions } from "../ports/call_options.ts";
import type { ModelServer } from "../ports/model_server_port.ts";

const CLAIM_SECONDS = 45;
/**
 * Shorter than the claim, so that no other process begins while this one may still act; longer than the drain delay
 * of servers whose routers acknowledge no change.
 */
const STOP_MS = 40_000;
const STOP_RETRY_SECONDS = 5;
/** Between two looks at whether somebody else has stopped a server. */
const LOOK_MS = 200;

export interface DrainReport {
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

  /** All at once, so that the claim on each is as fresh as can be, and none waits for another one's last answers. */
  async drain(limit: number): Promise<DrainReport> {
    const report: DrainReport = { drained: [], problems: [] };
    const claim = { limit, claim_seconds: CLAIM_SECONDS };
    const claimed = await this.#database.deployments.claimForDraining(claim);
    await Promise.all(
      claimed.map(async ({ deployment_id }) => {
        try {
          await this.#stop(deployment_id);
          report.drained.push(deployment_id);
        } catch (error) {
          if (!(error instanceof AgentError)) throw error;
          report.problems.push(`${deployment_id}: ${error.message}`);
        }
      }),
    );
    return report;
  }

  /**
   * Stops the deployment's server when its time is over, or waits for whoever is stopping it.
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
