import type { Resources } from "../../agents/model_deployer/domain/entities.ts";
import { bytesOf, coresOf } from "../../agents/model_deployer/domain/servers/quantities.ts";
import type { InstanceType } from "./cloud_objects.ts";

export type InstanceChoice = { instance: string } | { refused: string };

/**
 * The smallest instance type that has the CPU and memory that a deployment may use: by CPU, then memory, then price. Pure.
 */
export function chooseInstance(
  { cpu_limit, memory_limit }: Pick<Resources, "cpu_limit" | "memory_limit">,
  types: readonly InstanceType[],
): InstanceChoice {
  const known = types.flatMap(({ name, config }) => {
    const { cpu, memory } = config.resources.requests;
    const [cores, bytes] = [sizeOf(cpu, coresOf), sizeOf(memory, bytesOf)];
    if (cores === null || bytes === null) return [];
    return [
      { name, cores, bytes, price: Number(config.price) || 0, shown: `${name} (${cpu} CPU, ${memory})` },
    ];
  });
  const [smallest] = known
    .filter(({ cores, bytes }) => cores >= coresOf(cpu_limit) && bytes >= bytesOf(memory_limit))
    .sort((a, b) => a.cores - b.cores || a.bytes - b.bytes || a.price - b.price);
  if (smallest !== undefined) return { instance: smallest.name };
  const list = known.map(({ shown }) => shown).join(", ");
  return {
    refused: `BentoCloud has no instance type with ${cpu_limit} CPU and ${memory_limit}; it has ${list === "" ? "none" : list}: ask for less`,
  };
}

/** Null for a quantity that says nothing, as for types that have a GPU only. */
function sizeOf(text: string, read: (text: string) => number): number | null {
  const size = /^\d+(\.\d+)?(m|[KMGT]i?)?$/.test(text) ? read(text) : Number.NaN;
  return Number.isFinite(size) && size > 0 ? size : null;
}
