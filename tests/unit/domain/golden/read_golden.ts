import { readFileSync } from "node:fs";
import { z } from "zod";

const count = z.tuple([z.number(), z.number()]);
const pair = z.tuple([count, count]);

const goldenSchema = z.strictObject({
  blocks: z.array(z.strictObject({ past: pair, block: pair, log_e: z.number() })),
  rollout: z.strictObject({ looks: z.array(pair), log_e: z.array(z.number()) }),
  mixtures: z.array(
    z.strictObject({ successes: z.int(), trials: z.int(), rate: z.number(), log_e: z.number() }),
  ),
  rates: z.array(z.strictObject({ errors: z.int(), requests: z.int(), alpha: z.number(), rate: z.number() })),
  alone: z.array(
    z.strictObject({
      baseline: count,
      past: count,
      block: count,
      alpha: z.number(),
      floor: z.number(),
      log_e: z.number(),
    }),
  ),
});

/** What `judge.py` beside this file has computed, by the papers' formulas and in exact fractions. */
export const golden = goldenSchema.parse(
  JSON.parse(readFileSync(new URL("./judge.json", import.meta.url), "utf8")),
);
