import { setTimeout as delay } from "node:timers/promises";
import { hold } from "../../harness/checked_property.ts";
import type { RowOptions } from "../../harness/fault_row.ts";
import type { HarmCase } from "../../harm/harm_case.ts";
import { harmRow } from "../../harm/harm_row.ts";
import type { HarmWorld } from "../../harm/harm_world.ts";

/** Case 7 of what was seen to hurt production. */
export const fullDisk = harmRow({
  name: "full-disk",
  fault:
    "the disk of the home is full under load, with a rollback then and without: answers go on, and the rollback is done",
  needs: ({ disk }) => (typeof disk === "string" ? disk : null),
  cases: (options) => [full(options), rolledBack()],
});

function full({ extent }: RowOptions): HarmCase {
  return {
    name: "for a while",
    rollout: true,
    fault: (world) => whileFull(world, () => delay(extent === "whole" ? 30_000 : 5_000)),
  };
}

function rolledBack(): HarmCase {
  return {
    name: "with a rollback",
    rollout: true,
    isOperated: true,
    fault: async (world) => {
      try {
        await whileFull(world, () => world.endRollout());
        return [];
      } catch (error) {
        return [`a rollback needs no disk, but it ended with ${String(error)}`];
      }
    },
  };
}

async function whileFull({ disk }: HarmWorld, work: () => Promise<void>): Promise<void> {
  hold(typeof disk !== "string", () => "the home lies on no disk of its own");
  disk.fill();
  try {
    await work();
  } finally {
    disk.empty();
  }
}
