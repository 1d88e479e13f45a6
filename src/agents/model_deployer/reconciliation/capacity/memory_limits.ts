import type { PlannedStep } from "../../domain/plan.ts";
import { bytesOf, inUnitOf } from "../../domain/servers/quantities.ts";
import { planned } from "../../planning/decisions.ts";
import { packageOf, startBesideOf } from "../../planning/planned_deployment.ts";
import type { UsedByReplica, WantedServer } from "../facts.ts";

/** One that is over its limit again so soon after its start would be replaced for ever. */
const SHORTEST_LIFE_SECONDS = 300;

/**
 * The server of a ready deployment that holds the most memory over its limit, told in the limit's unit, and why it is
 * left; null where none does. Where the machine enforces the limit none gets there. Pure.
 */
export function overMemory({
  deployment,
  usage,
}: WantedServer): { replica: number; found: string; left: string | null } | null {
  const { memory_limit, replicas } = deployment;
  const over = usage.filter((one) => one.memory_bytes > bytesOf(memory_limit) && one.replica <= replicas);
  const most = over.reduce<UsedByReplica | null>(
    (worst, one) => (worst === null || one.memory_bytes > worst.memory_bytes ? one : worst),
    null,
  );
  if (most === null) return null;
  const isYoung = most.age_seconds < SHORTEST_LIFE_SECONDS;
  return {
    replica: most.replica,
    found: `server ${most.replica} is out of memory: ${inUnitOf(memory_limit, most.memory_bytes)} of ${memory_limit}`,
    left: isYoung
      ? `it was started ${Math.round(most.age_seconds)} s ago and would be over its limit again; raise memory_limit by \`update\``
      : null,
  };
}

/** A sentence where the machine ended servers for their memory since the last look; null where it did not. */
export function killedForMemory({ deployment, usage }: WantedServer): string | null {
  const killed = usage.filter((one) => one.killed > 0);
  if (killed.length === 0) return null;
  const each = killed.map(({ replica, killed: times }) => `server ${replica} ${times} times`).join(", ");
  return `out of memory: ended by its limit of ${deployment.memory_limit}, and started again: ${each}`;
}

/** Another server beside it, one deployment's server at a look. */
export function replaceForMemory({ deployment, version }: WantedServer, replica: number): PlannedStep[] {
  return [
    planned({ ...packageOf(version), bento_tag: deployment.bento_tag }),
    planned({ ...startBesideOf(deployment), ...(deployment.replicas > 1 && { replica }) }),
  ];
}
