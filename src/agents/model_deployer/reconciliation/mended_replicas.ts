import type { PlannedStep } from "../domain/plan.ts";
import { count } from "../planning/wording/count.ts";
import { planned } from "../planning/decisions.ts";
import { packageOf, startAgainOf, startBesideOf } from "../planning/planned_deployment.ts";
import type { WantedReplica, WantedServer } from "./facts.ts";

const isAlive = ({ life }: WantedReplica): boolean => life.life === "alive";

/**
 * How a ready deployment's servers differ from what is wanted, and why nothing is done about it; null where they do not.
 * One that only misses a probe is left alone, since it may still answer. Pure.
 */
export function replicaDrift({
  deployment,
  replicas,
}: WantedServer): { found: string; left: string | null } | null {
  if (replicas === null) return null;
  const wanted = deployment.replicas;
  const own = replicas.filter(({ replica }) => replica <= wanted);
  const bad = own.filter((one) => !isAlive(one));
  if (bad.length === 0 && own.length === wanted && own.length === replicas.length) return null;
  const reasons = bad.map(
    ({ replica, life }) => `server ${replica}: ${"why" in life ? life.why : life.life}`,
  );
  const found = [`${own.length - bad.length} of ${wanted} servers answer`, ...reasons].join("; ");
  const isLate = own.length === wanted && own.length === replicas.length;
  const left = isLate && bad.every(({ life }) => life.life === "missed") ? reasons.join("; ") : null;
  const surplus = replicas.length - own.length;
  return { found: surplus > 0 ? `${found}; ${count(surplus, "server")} too many` : found, left };
}

/** Starts what is missing and gives up what is too many; one that hangs gets another one beside it. */
export function mendReplicas({ deployment, version, replicas }: WantedServer): PlannedStep[] {
  const silent = (replicas ?? []).filter(
    ({ replica, life }) => life.life === "silent" && replica <= deployment.replicas,
  );
  const prepared = planned({ ...packageOf(version), bento_tag: deployment.bento_tag });
  return [
    ...silent.flatMap(({ replica }) => [prepared, planned({ ...startBesideOf(deployment), replica })]),
    prepared,
    planned(startAgainOf(deployment)),
  ];
}
