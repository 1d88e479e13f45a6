import { readFileSync } from "node:fs";
import { z } from "zod";

const goldenSchema = z.strictObject({
  draws: z.array(
    z.strictObject({
      all: z.int(),
      all_marked: z.int(),
      drawn: z.int(),
      marked: z.int(),
      odds: z.number(),
      log_e: z.number(),
    }),
  ),
  mixtures: z.array(
    z.strictObject({ successes: z.int(), trials: z.int(), rate: z.number(), log_e: z.number() }),
  ),
  rates: z.array(z.strictObject({ errors: z.int(), requests: z.int(), alpha: z.number(), rate: z.number() })),
});

/** The values that `draws.py` beside this file has computed, in exact fractions. */
export const golden = goldenSchema.parse(
  JSON.parse(readFileSync(new URL("./draws.json", import.meta.url), "utf8")),
);
