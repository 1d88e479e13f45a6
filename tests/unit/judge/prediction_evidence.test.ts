import { expect, test } from "vitest";
import { randomFrom } from "../../../bench/judge/random.ts";
import {
  noPredictions,
  type PredictionEvidence,
} from "../../../src/agents/model_deployer/domain/evidence/compared_predictions.ts";
import { binOf, binsOf, valueOf } from "../../../src/agents/model_deployer/judge/evidence/prediction_bins.ts";
import {
  addPredictions,
  logPredictionEvidence,
  type PredictedUnder,
  shiftOf,
} from "../../../src/agents/model_deployer/judge/evidence/prediction_evidence.ts";

type Value = number | string | null;
const START = Date.parse("2026-03-01T12:00:00.000Z");
const sharing: PredictedUnder = { generation: 3, share: 0.1, answer_seconds: 0 };

const logged = (values: readonly Value[], second: number) =>
  values.map((prediction) => ({
    prediction,
    score: typeof prediction === "number" ? prediction : null,
    answered_at: new Date(START + 1000 * second).toISOString(),
  }));

/** One look, at which each side's log has these new lines of the second before. */
function look(
  before: PredictionEvidence,
  second: number,
  sides: { candidate: readonly Value[]; baseline: readonly Value[] },
  route: PredictedUnder = sharing,
): PredictionEvidence {
  const log = (id: string, values: readonly Value[]) => ({
    deployment_id: id,
    predictions: logged(values, second),
    position: String(second),
  });
  const logs = { candidate: log("d2", sides.candidate), baseline: log("d1", sides.baseline) };
  return addPredictions(before, logs, route, START + 1000 * (second + 1));
}

/** The baseline's earlier predictions are known, and the route has been seen. */
function begun(earlier: readonly Value[]): PredictionEvidence {
  const known = look(noPredictions, -2, { candidate: [], baseline: earlier });
  return look(known, -1, { candidate: [], baseline: [] });
}

const evidenceOf = (state: PredictionEvidence) => Math.exp(logPredictionEvidence(state));

function whenLooks(
  random: () => number,
  looks: number,
  drawn: { candidate: () => Value; baseline: () => Value },
  alpha = 1e-300,
): { state: PredictionEvidence; found: number | null } {
  let state = begun(Array.from({ length: 500 }, drawn.baseline));
  for (let second = 0; second < looks; second += 1) {
    const sides: { candidate: Value[]; baseline: Value[] } = { candidate: [], baseline: [] };
    for (let request = 0; request < 100; request += 1) {
      const side = random() < sharing.share ? "candidate" : "baseline";
      sides[side].push(drawn[side]());
    }
    state = look(state, second, sides);
    if (evidenceOf(state) >= 1 / alpha) return { state, found: second };
  }
  return { state, found: null };
}

test("sides that predict alike are told apart in at most 1 % of all runs, at any of their looks", () => {
  const random = randomFrom(11);
  let wrong = 0;
  for (let run = 0; run < 100; run += 1) {
    const score = () => random() ** 2;
    if (whenLooks(random, 40, { candidate: score, baseline: score }, 0.01).found !== null) wrong += 1;
  }
  expect(wrong).toBeLessThanOrEqual(3);
});

test("a candidate whose scores are shifted is told apart, and what differs the most is named with its numbers", () => {
  const random = randomFrom(5);
  const baseline = () => random();
  const { state, found } = whenLooks(random, 300, { candidate: () => 0.2 + 0.8 * random(), baseline }, 0.001);
  expect(found).not.toBeNull();
  expect(found).toBeLessThan(100);
  const shift = shiftOf(state);
  expect(shift?.what).toMatch(/^scores above 0\.\d/);
  expect(shift?.shift).toBeGreaterThan(0.1);
  expect(shift?.candidate).toBeGreaterThan(shift?.baseline ?? 1);
});

test("classes are compared by their shares, in both directions, and one that is new counts among the others", () => {
  const random = randomFrom(8);
  const baseline = () => (random() < 0.7 ? "no" : "yes");
  const candidate = () => (random() < 0.5 ? "no" : random() < 0.9 ? "yes" : "maybe");
  const { state, found } = whenLooks(random, 200, { candidate, baseline }, 0.001);
  expect(found).not.toBeNull();
  expect(state.bins).toEqual({ kind: "classes", labels: ["no", "yes"] });
  expect(shiftOf(state)).toMatchObject({ what: "predicted no" });
});

test.each<[string, (drawn: number) => Value]>([
  ["score", (drawn) => drawn],
  ["class", (drawn) => (drawn < 0.3 ? "low" : drawn < 0.6 ? "middle" : "high")],
])("a candidate that answers null in place of a %s is told apart, and that is named", (kind, valued) => {
  const random = randomFrom(8);
  const baseline = () => valued(random());
  const candidate = () => (random() < 0.4 ? null : baseline());
  const { state, found } = whenLooks(random, 200, { candidate, baseline }, 0.001);
  expect(found).not.toBeNull();
  expect(shiftOf(state)).toMatchObject({ what: `answered without a ${kind}`, baseline: 0 });
});

test("whatever callers ask, a change that meets both sides is none", () => {
  const random = randomFrom(3);
  let second = 0;
  const drifting = () => Math.min(1, random() * 0.2 + (second += 1) / 20_000);
  const { state } = whenLooks(random, 100, { candidate: drifting, baseline: drifting });
  expect(evidenceOf(state)).toBeLessThan(100);
});

test("nothing is compared before the baseline has answered often enough, nor under another route, nor twice", () => {
  const few = look(noPredictions, 0, { candidate: [1], baseline: [1, 2] });
  expect(few).toEqual(noPredictions);
  const scores = Array.from({ length: 200 }, (_, index) => index / 200);
  const state = begun(scores);
  expect(state.counts.baseline).toEqual([]);
  const other = look(state, 1, { candidate: scores, baseline: scores }, { ...sharing, generation: 4 });
  expect(other).toMatchObject({ counts: { candidate: [], baseline: [] }, generation: 4 });
  const early = { ...other, since: START + 10_000 };
  const late = look(early, 5, { candidate: scores, baseline: scores }, { ...sharing, generation: 4 });
  expect(late.pending.candidate).toEqual([]);
});

test("what one log has of a time that the other is not read up to yet waits for it", () => {
  const scores = Array.from({ length: 200 }, (_, index) => index / 200);
  const state = begun(scores);
  const log = (id: string, values: number[], second: number) => ({
    deployment_id: id,
    predictions: logged(values, second),
    position: "x",
  });
  const logs = { candidate: log("d2", [0.5], 9), baseline: log("d1", [0.1, 0.2], 3) };
  const after = addPredictions(state, logs, sharing, START + 10_000);
  expect(after.awaited).toMatchObject([
    { candidate: [0, 0, 1], baseline: [] },
    { candidate: [], baseline: [1, 1] },
  ]);
  expect(after.pending).toMatchObject({ candidate: [] });
});

test("a kind that takes the candidate seconds longer is not taken for one that it predicts less often", () => {
  const random = randomFrom(1);
  const under = { ...sharing, share: 0.5, answer_seconds: 15 };
  const kinds = Array.from({ length: 200 }, (_, index) => (index % 2 === 0 ? "a" : "b"));
  let state = begun(kinds);
  let under_way: { ends: number; side: "candidate" | "baseline"; began: number; kind: string }[] = [];
  for (let second = 0; second < 60; second += 1) {
    const asked = Array.from({ length: 400 }, () => {
      const side = random() < 0.5 ? ("candidate" as const) : ("baseline" as const);
      const kind = random() < 0.5 ? "a" : "b";
      return { side, kind, began: second, ends: second + (kind === "b" && side === "candidate" ? 8 : 0) };
    });
    under_way.push(...asked);
    const log = (side: "candidate" | "baseline") => ({
      deployment_id: side,
      predictions: under_way
        .filter((one) => one.side === side && one.ends <= second)
        .flatMap(({ kind, began }) => logged([kind], began)),
      position: String(second),
    });
    const logs = { candidate: log("candidate"), baseline: log("baseline") };
    state = addPredictions(state, logs, under, START + 1000 * (second + 1));
    under_way = under_way.filter(({ ends }) => ends > second);
    expect(evidenceOf(state)).toBeLessThan(100);
  }
  expect(state.counts.candidate.reduce((all, one) => all + one, 0)).toBeGreaterThan(5000);
});

test.each([
  [{ prediction: 1, score: 0.3 }, 0.3],
  [{ prediction: 7, score: null }, 7],
  [{ prediction: true, score: null }, "true"],
  [{ prediction: ["a", "b"], score: null }, "a"],
  [{ prediction: { a: 1 }, score: null }, null],
  [{ prediction: null, score: null }, null],
])("of %j counts %j", (predicted, value) => {
  expect(valueOf(predicted)).toBe(value);
});

test("few different numbers are classes, many are scores with the baseline's quantiles as bounds", () => {
  expect(
    binsOf(
      logged(
        Array.from({ length: 99 }, () => 1),
        0,
      ),
    ),
  ).toBeNull();
  expect(
    binsOf(
      logged(
        Array.from({ length: 100 }, (_, index) => index % 2),
        0,
      ),
    ),
  ).toEqual({
    kind: "classes",
    labels: ["0", "1"],
  });
  const bins = binsOf(
    logged(
      Array.from({ length: 100 }, (_, index) => index),
      0,
    ),
  );
  expect(bins).toEqual({ kind: "scores", bounds: [10, 25, 50, 75, 90] });
  if (bins === null) return;
  expect([5, 10, 11, 99].map((value) => binOf(value, bins))).toEqual([0, 0, 1, 5]);
  expect(binOf("word", bins)).toBe(6);
  expect(binOf(null, bins)).toBe(6);
});
