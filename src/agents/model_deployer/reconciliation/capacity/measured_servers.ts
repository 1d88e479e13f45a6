import type { CallOptions } from "../../ports/call_options.ts";
import type { ServerUsage } from "../../ports/model_server_port.ts";
import type { Deployment } from "../../domain/entities.ts";
import { Autoscaler } from "./autoscaler.ts";
import type { Scale, UsedByReplica } from "../facts.ts";

interface Measured {
  usage: UsedByReplica[];
  scale: Scale | null;
}

/** The use of servers and the replicas that follow from it, as far as this process has seen it. */
export class MeasuredServers {
  readonly #usage: ServerUsage;
  readonly #killed = new Map<string, number>();

  readonly #autoscaler: Autoscaler;

  /** @param now a monotonic clock in milliseconds */
  constructor(usage: ServerUsage, now: () => number) {
    this.#usage = usage;
    this.#autoscaler = new Autoscaler(now);
  }

  async of(deployment: Deployment, options: CallOptions): Promise<Measured> {
    const measured = await this.#usage.usage(deployment.deployment_id, options);
    if (measured === null) return { usage: [], scale: null };
    const usage = measured.map(({ replica, memory_bytes, age_seconds, out_of_memory, run }) => {
      const killed = out_of_memory - (this.#killed.get(run) ?? 0);
      this.#killed.set(run, out_of_memory);
      return { replica, memory_bytes, age_seconds, killed };
    });
    const isScaled =
      deployment.status === "active" && deployment.autoscaling.min < deployment.autoscaling.max;
    if (!isScaled) return { usage, scale: null };
    const cores = await this.#usage.cores(options);
    return { usage, scale: this.#autoscaler.look(deployment, measured, cores) };
  }
}
