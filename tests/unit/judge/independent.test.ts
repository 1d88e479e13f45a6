import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { noAnswers } from "../../../src/agents/model_deployer/domain/evidence/figures.ts";
import { logMixtureEvidence } from "../../../src/agents/model_deployer/judge/statistics/bernoulli_evidence.ts";
import { noBets } from "../../../src/agents/model_deployer/domain/evidence/bets.ts";
import { usualMetricSettings } from "../../../src/agents/model_deployer/domain/evidence/team_metrics.ts";
import {
  addMetrics,
  METRIC_EXPERTS,
} from "../../../src/agents/model_deployer/judge/evidence/metric_evidence.ts";
import {
  BOUND_PARTS,
  excludeDifferences,
  OUTCOME_WORSE_BY,
} from "../../../src/agents/model_deployer/judge/evidence/outcome_bound.ts";
import { logTiltedDraw } from "../../../src/agents/model_deployer/judge/statistics/tilted_draw.ts";
import { stakeAt } from "../../../src/agents/model_deployer/judge/statistics/experts.ts";
import { logDrawEvidence } from "../../../src/agents/model_deployer/judge/statistics/random_draw.ts";
import { exclude, nothingExcluded, WORSE_BY } from "../../../src/agents/model_deployer/judge/worse_by.ts";

const count = z.tuple([z.int(), z.int()]);
const draw = { all: z.int(), all_marked: z.int(), drawn: z.int(), marked: z.int(), odds: z.number() };
const goldenSchema = z.strictObject({
  draws: z.array(z.strictObject({ ...draw, log_e: z.number() })),
  tilted: z.array(
    z.strictObject({
      losses: z.array(z.number()),
      drawn: z.array(z.int()),
      tilt: z.number(),
      log_e: z.number(),
    }),
  ),
  differences: z.array(
    z.strictObject({
      values: z.array(z.number()),
      least: z.number(),
      most: z.number(),
      worse: z.number(),
      part: z.number(),
      log_e: z.number(),
    }),
  ),
  windows: z.array(z.strictObject({ worse: z.int(), better: z.int(), part: z.number(), log_e: z.number() })),
  signs: z.array(z.strictObject({ higher: z.int(), lower: z.int(), log_e: z.number() })),
  excluded: z.array(
    z.strictObject({
      candidate: count,
      baseline: count,
      bets: z.tuple([z.number(), z.number()]),
      worse: z.number(),
      log_e: z.number(),
    }),
  ),
});

/** Computed by packages that others wrote; `independent.py` beside it says by which and how. */
const golden = goldenSchema.parse(
  JSON.parse(readFileSync(new URL("./golden/independent.json", import.meta.url), "utf8")),
);

test.each(golden.draws)(
  "scipy: $marked of $drawn drawn, $all_marked of $all marked, at odds of $odds",
  (given) => {
    const { all, all_marked: allMarked, drawn, marked, odds, log_e } = given;
    expect(logDrawEvidence({ all, allMarked, drawn, marked }, odds)).toBeCloseTo(log_e, 7);
  },
);

test.each(golden.signs)("savvi: $higher higher and $lower lower", ({ higher, lower, log_e }) => {
  expect(logMixtureEvidence(higher, higher + lower, 0.5)).toBeCloseTo(log_e, 7);
});

test.each(golden.excluded)("scipy: $candidate beside $baseline, worse by $worse excluded", (given) => {
  const answers = ([errors, requests]: readonly [number, number]) => ({ ...noAnswers, requests, errors });
  const block = { candidate: answers(given.candidate), baseline: answers(given.baseline) };
  const [candidate, baseline] = given.bets;
  const { bets } = exclude(nothingExcluded, block, { candidate, baseline }, 1e-9);
  const wealth = bets.wealth[0]?.[WORSE_BY.indexOf(given.worse)] ?? Number.NaN;
  expect(wealth - Math.log(stakeAt(1))).toBeCloseTo(given.log_e, 6);
});

test.each(golden.tilted)("all draws: $drawn of losses, tilted by $tilt", ({ losses, drawn, tilt, log_e }) => {
  expect(logTiltedDraw(losses, drawn, tilt)).toBeCloseTo(log_e, 8);
});

test.each(golden.differences)("confseq: a mean of $worse or more excluded, by a stake of $part", (given) => {
  const { values, most, worse, part, log_e } = given;
  const { wealth } = excludeDifferences(noBets, values, most);
  const stakes = wealth[OUTCOME_WORSE_BY.indexOf(worse)] ?? expect.fail("nothing was bet on it");
  const won = stakes[BOUND_PARTS.findIndex((one) => one.part === part)] ?? Number.NaN;
  expect(won - Math.log(stakeAt(1))).toBeCloseTo(log_e, 8);
});

test.each(golden.windows)("confseq: worse in $worse windows and better in $better", (given) => {
  const { worse, better, part, log_e } = given;
  const settings = { ...usualMetricSettings, query: "{{deployment}}", worse: "higher" } as const;
  const value = (number: number) => ({ reading: { value: number }, of: null });
  const sharing = { generation: 1, share: 0.5, answer_seconds: 15 };
  let evidence = addMetrics({}, { m: settings }, {}, sharing, 0);
  const signs = [...Array<number>(worse).fill(2), ...Array<number>(better).fill(0.5)];
  for (const own of signs) {
    const read = { m: { candidate: value(own), baseline: value(1) } };
    evidence = addMetrics(evidence, { m: settings }, read, sharing, 1);
  }
  const expert = METRIC_EXPERTS.findIndex((one) => one.part === part);
  // What was staked at the first window; the stakes of later ones are bets of their own.
  const staked = evidence["m"]?.bets.wealth[0]?.[expert] ?? Number.NaN;
  const alone = signs.reduce((log, own) => log + Math.log1p(own > 1 ? part : -part), 0);
  expect(alone).toBeCloseTo(log_e, 8);
  expect(staked).toBeGreaterThanOrEqual(log_e + Math.log(stakeAt(1)));
});
