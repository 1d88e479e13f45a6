import type { Deployment, ServedStage } from "../domain/entities.ts";
import {
  afterMiss,
  type Life,
  lifeAfter,
  type LivenessPolicy,
  type Misses,
} from "../domain/servers/liveness.ts";
import type { ServerObservation } from "../ports/model_server_port.ts";

/**
 * Counts the liveness probes that servers missed in a row, in the process that looks: a new process starts at zero, so
 * that nothing counts as dead sooner by it.
 */
export class Liveness {
  readonly #policies: Readonly<Record<ServedStage, LivenessPolicy>>;
  readonly #misses = new Map<string, Misses>();

  constructor(policies: Readonly<Record<ServedStage, LivenessPolicy>>) {
    this.#policies = policies;
  }

  /** @param now the database's clock, asked for only where a server does not answer */
  async judge(
    { deployment_id: id, target_stage }: Pick<Deployment, "deployment_id" | "target_stage">,
    observed: ServerObservation,
    now: () => Promise<string>,
  ): Promise<Life> {
    switch (observed.state) {
      case "ready":
      case "starting":
        this.answered(id);
        return { life: "alive" };
      case "absent":
      case "failed":
        this.answered(id);
        return { life: "gone", why: observed.state === "failed" ? observed.reason : "it has no process" };
      case "unresponsive": {
        const policy = this.#policies[target_stage];
        const at = await now();
        const misses = afterMiss(this.#misses.get(id) ?? null, at, policy);
        this.#misses.set(id, misses);
        return lifeAfter(misses, policy, observed.reason);
      }
      default:
        return observed satisfies never;
    }
  }

  /** Whether it has missed as many probes in a row as its stage requires, by the counts here; asks nothing. */
  isSilent(deploymentId: string, stage: ServedStage): boolean {
    return (this.#misses.get(deploymentId)?.count ?? 0) >= this.#policies[stage].misses;
  }

  /** Resets the count: the server answered, or its process is gone. */
  answered(deploymentId: string): void {
    this.#misses.delete(deploymentId);
  }
}
