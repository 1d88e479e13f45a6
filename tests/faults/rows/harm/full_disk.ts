import { setTimeout as delay } from "node:timers/promises";
import type { RowOptions } from "../../fault_row.ts";
import type { HarmCase } from "../../harm/harm_case.ts";
import { harmRow } from "../../harm/harm_row.ts";
import { emptyDisk, fillDisk } from "../../harm/small_disk.ts";

/** Case 7 of what was seen to hurt production. */
export const fullDisk = harmRow({
  name: "full-disk",
  fault:
    "the disk of the home is full under load, with a rollback then and without: answers go on, and the rollback is done",
  needs: ({ hasSmallDisk }) =>
    hasSmallDisk ? null : "only root may mount a disk that is small enough to fill",
  cases: (options) => [full(options), rolledBack()],
});

function full({ extent }: RowOptions): HarmCase {
  return {
    name: "for a while",
    rollout: true,
    fault: async ({ home }) => {
      await fillDisk(home);
      await delay(extent === "whole" ? 30_000 : 5_000);
      await emptyDisk(home);
    },
  };
}

function rolledBack(): HarmCase {
  return {
    name: "with a rollback",
    rollout: true,
    isOperated: true,
    fault: async (world) => {
      await fillDisk(world.home);
      try {
        await world.endRollout();
        return [];
      } catch (error) {
        return [`a rollback needs no disk, but it ended with ${String(error)}`];
      } finally {
        await emptyDisk(world.home);
      }
    },
  };
}
