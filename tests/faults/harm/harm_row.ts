import type { FaultRow, RowOptions } from "../harness/fault_row.ts";
import { type HarmCase, type HarmOutcome, harmResult, runHarmCase } from "./harm_case.ts";
import type { HarmWorld } from "./harm_world.ts";
import { closeSharedHarmWorld, sharedHarmWorld } from "./shared_world.ts";

interface HarmRow extends Pick<FaultRow, "name" | "fault"> {
  cases: (options: RowOptions) => HarmCase[];
  /** Why the row cannot be run here; null where it can. */
  needs?: (world: HarmWorld) => string | null;
}

/** A row over the shared world, whose cases run one after another under a load that counts every answer. */
export function harmRow({ name, fault, cases, needs }: HarmRow): FaultRow {
  return {
    name,
    fault,
    run: async (options) => {
      const outcomes: HarmOutcome[] = [];
      const missing = needs?.(await sharedHarmWorld(options.services)) ?? null;
      if (missing !== null) return { ...harmResult([]), skipped: missing };
      for (const one of cases(options)) {
        const world = await sharedHarmWorld(options.services);
        const outcome = await runHarmCase(world, one).catch(async (error: unknown) => {
          await closeSharedHarmWorld();
          throw error;
        });
        outcomes.push(outcome);
        const { answered, failed_by_model, lost } = outcome.counted;
        options.onProgress(
          `${one.name}: ${answered} answered, ${failed_by_model} failed by the model, ${lost} lost`,
        );
        // An endpoint that was rolled back again and again takes no other rollout for a while.
        if (outcome.wrong.length > 0 || outcome.judged !== null) await closeSharedHarmWorld();
      }
      return harmResult(outcomes);
    },
  };
}
