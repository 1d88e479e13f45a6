import { AgentError } from "../base/agent_error.ts";
import type { Database } from "./parts.ts";
import type { ModelServer } from "./ports.ts";

const CLAIM_SECONDS = 45;
/** Shorter than its claim, so that nobody else begins while it may still have an effect. */
const STOP_MS = 30_000;
const STOP_RETRY_SECONDS = 5;

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
