import { expect, test } from "vitest";
import {
  type ComparableAnswer,
  noOutcomes,
} from "../../../src/agents/model_deployer/domain/evidence/late_outcomes.ts";
import { lossWorseByAtMost } from "../../../src/agents/model_deployer/judge/evidence/outcome_bound.ts";
import { addOutcomes } from "../../../src/agents/model_deployer/judge/evidence/outcome_evidence.ts";
import { randomFrom } from "../../../bench/judge/random.ts";

const sides = { candidate_id: "d2", baseline_id: "d1" };
const route = [
  {
    ...{ generation: 1, weights: { d1: 50, d2: 50 } },
    ...{ from: "2026-01-01T00:00:00Z", to: "2026-01-05T00:00:00Z" },
  },
];
const RUNS = 60;

/** In how many runs the bound lay below the truth at some look, where the baseline is wrong in 10 %. */
function tooLow(wrong: number, told: { candidate: number; baseline: number }): number {
  return Array.from({ length: RUNS }, (_, run) => {
    const random = randomFrom(5 + 7919 * run);
    let state = noOutcomes;
    for (let look = 0; look < 60; look += 1) {
      const answers = Array.from({ length: 50 }, () => {
        const isCandidate = random() < 0.5;
        const isTold = random() < (isCandidate ? told.candidate : told.baseline);
        const prediction = random() < (isCandidate ? wrong : 0.1) ? "no" : "yes";
        const answered = { score: null, has_failed: false, answered_at: "2026-01-02T00:00:00Z" };
        const answer: ComparableAnswer = {
          ...{ deployment_id: isCandidate ? "d2" : "d1", prediction, outcome: "yes" },
          ...answered,
        };
        return { answer, isTold };
      });
      const known = answers.flatMap(({ answer, isTold }) => (isTold ? [answer] : []));
      state = addOutcomes(state, known, route, sides, { measure: "accuracy" });
      const bound = lossWorseByAtMost(state.excluded, 0.01);
      if (bound !== null && bound < wrong - 0.1) return 1;
    }
    return 0;
  }).reduce<number>((sum, one) => sum + one, 0);
}

test.each([
  [0.15, { candidate: 1, baseline: 1 }],
  [0.15, { candidate: 1, baseline: 0.2 }],
  [0.3, { candidate: 0.1, baseline: 1 }],
] as const)(
  "the bound of %d wrong holds where outcomes are told of these parts of the answers: %j",
  (wrong, told) => {
    expect(tooLow(wrong, told)).toBeLessThanOrEqual(1);
  },
);
