import type { Deployment } from "../../domain/entities.ts";
import {
  boundsOn,
  DOWN_WINDOW_SECONDS,
  type Recommendation,
  recommendedReplicas,
  scaledReplicas,
} from "../../domain/servers/autoscaling.ts";
import { coresOf } from "../../domain/servers/quantities.ts";
import type { ReplicaUsage } from "../../ports/model_server_port.ts";
import type { Scale } from "../facts.ts";

/** CPU is measured over at least so long; the controller that this follows looks as often. */
const SAMPLE_SECONDS = 15;

interface Sample {
  at: number;
  /** The CPU seconds of each server, by the life of its process. */
  used: ReadonlyMap<string, number>;
}

interface Memory {
  sample: Sample;
  past: Recommendation[];
  /** Holds until the next sample: it is carried out under a lease, after a second look. */
  decided: Scale | null;
}

/**
 * Recommends numbers of servers from what they use. What it has seen it keeps in the process that looks: a new process
 * gives no server up before it has looked for a whole window.
 */
export class Autoscaler {
  readonly #memories = new Map<string, Memory>();
  readonly #now: () => number;

  /** @param now a monotonic clock in milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Null where nothing is to change, or it is too soon to tell.
   * @param cores that all servers of the machine share
   */
  look(deployment: Deployment, usage: readonly ReplicaUsage[], cores: number): Scale | null {
    const { deployment_id: id, replicas, cpu_limit, autoscaling } = deployment;
    const now = this.#now() / 1000;
    const used = new Map(usage.map(({ run, cpu_seconds }) => [run, cpu_seconds]));
    const memory = this.#memories.get(id);
    const isSame = memory !== undefined && isDeepSame([...memory.sample.used.keys()], [...used.keys()]);
    if (!isSame || used.size !== replicas) {
      const past = memory?.past ?? [{ at: now, replicas }];
      this.#memories.set(id, { sample: { at: now, used }, past, decided: null });
      return null;
    }
    const seconds = now - memory.sample.at;
    if (seconds < SAMPLE_SECONDS) return memory.decided;
    const percent = usedPercent(memory.sample.used, used, seconds * coresOf(cpu_limit));
    const replicasNow = recommendedReplicas(replicas, percent, autoscaling.target_cpu);
    const past = [...memory.past, { at: now, replicas: replicasNow }].filter(
      ({ at }) => now - at <= DOWN_WINDOW_SECONDS,
    );
    const { min, max } = boundsOn(cores, coresOf(cpu_limit), autoscaling);
    // Replicas that somebody asked for beyond the machine's cores stay; no more are added.
    const most = Math.min(autoscaling.max, Math.max(max, replicas));
    const wanted = scaledReplicas(replicas, past, now, { min, max: most });
    const decided = wanted === replicas ? null : { replicas: wanted, percent: Math.round(percent) };
    this.#memories.set(id, { sample: { at: now, used }, past, decided });
    return decided;
  }
}

const isDeepSame = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((run) => other.includes(run));

/** The average over all servers, in percent of `available` CPU seconds each. */
function usedPercent(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  available: number,
): number {
  const all = [...after].map(([run, seconds]) => Math.max(0, seconds - (before.get(run) ?? seconds)));
  const sum = all.reduce((total, seconds) => total + seconds, 0);
  return (100 * sum) / (available * Math.max(1, all.length));
}
