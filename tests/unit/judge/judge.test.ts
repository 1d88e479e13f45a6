import { expect, test } from "vitest";
import {
  LATENCY_BOUNDS_MS,
  noAnswers,
  type VersionFigures,
} from "../../../src/agents/model_deployer/domain/evidence/figures.ts";
import {
  type JudgeState,
  noEvidences,
  judgeSettingsSchema,
  judgeStateSchema,
  verdictSchema,
} from "../../../src/agents/model_deployer/domain/evidence/judgement.ts";
import { evidenceOf } from "../../../src/agents/model_deployer/judge/comparison.ts";
import {
  beginStep,
  newJudgeState,
  observe,
  sharingOf,
} from "../../../src/agents/model_deployer/judge/observe.ts";
import { judge, judgeAlone } from "../../../src/agents/model_deployer/judge/verdict.ts";
import { anEndpoint, figuresOf } from "../../support/given/given_facts.ts";
import { begun, figures, goOn, look, settings, sharing, sides } from "./looks.ts";

const good = () => ({ candidate: 0, baseline: 0 });

test("what was counted before the rollout began is left out", () => {
  const state = look(newJudgeState(figures([0, 0], [7, 1000])), [0, 20], [8, 1100]);
  expect(state.candidate).toMatchObject({ errors: 0, requests: 20 });
  expect(state.baseline).toMatchObject({ errors: 1, requests: 100 });
});

test("counters that began anew are counted from zero, and those that shrank count as nothing", () => {
  const before = look(newJudgeState([]), [1, 100], [1, 900]);
  expect(look(before, [2, 30], [0, 200], "2").candidate).toMatchObject({ errors: 3, requests: 130 });
  expect(look(before, [0, 30], [0, 200]).candidate).toMatchObject({ errors: 1, requests: 100 });
});

test("a reading that is older than the last one, or leaves a side out, makes nothing count twice", () => {
  const before = look(newJudgeState([]), [1, 100], [1, 900]);
  const older = look(before, [0, 30], [0, 200]);
  const without = observe(older, [], sides, sharing, settings);
  const after = look(without, [2, 110], [1, 990]);
  expect(after.candidate).toMatchObject({ errors: 2, requests: 110 });
  expect(after.baseline).toMatchObject({ errors: 1, requests: 990 });
});

test("a counter of errors that runs ahead of that of requests leaves evidence that can be kept and read", () => {
  let state = begun(figures([0, 0], [0, 1000]));
  for (const candidate of [
    [3, 2],
    [3, 12],
    [4, 22],
  ] as const)
    state = look(state, candidate, [0, 1100]);
  expect(judgeStateSchema.parse(state)).toEqual(state);
  const verdict = judge(state, settings);
  expect(verdictSchema.parse(verdict)).toEqual(verdict);
});

test("a few failures of everything that a candidate was asked are beyond doubt, where the baseline answers", () => {
  const verdict = judge(
    goOn(begun(), 1, () => ({ candidate: 10, baseline: 0 })),
    settings,
  );
  expect(verdict.outcome).toBe("fail");
  expect(verdict.reason).toContain("candidate failed 10 of 10 (100.00 %), baseline 0 of 90 (0.00 %)");
});

test("the same failures are no evidence where the baseline fails as well", () => {
  const shared = goOn(begun(), 20, () => ({ candidate: 10, baseline: 90 }));
  expect(evidenceOf(shared).errors).toBeCloseTo(0, 1);
  expect(judge(shared, settings).outcome).toBe("pass");
});

test("a candidate that turns bad after hundreds of good looks fails, however good its past makes it on average", () => {
  const before = goOn(begun(), 600, good);
  expect(judge(before, settings).outcome).toBe("pass");
  const after = goOn(before, 100, (index) => ({ candidate: index % 2, baseline: 0 }));
  expect(after.candidate.errors / after.candidate.requests).toBeLessThan(settings.effect_floor);
  expect(judge(after, settings).outcome).toBe("fail");
});

test("a difference that stays under the floor never fails, whatever the evidence for it", () => {
  const slightlyWorse = goOn(begun(), 3000, (index) => ({
    candidate: index % 20 === 0 ? 1 : 0,
    baseline: 0,
  }));
  expect(evidenceOf(slightlyWorse).errors).toBeGreaterThan(Math.log(1 / settings.alpha));
  expect(judge(slightlyWorse, settings).outcome).toBe("pass");
});

test("what came before the route was seen in force, or while another one is wanted, is not compared", () => {
  const isNew = look(newJudgeState([]), [50, 50], [0, 450]);
  const changing = { ...sharing, generation: null };
  const unsettled = observe(isNew, figures([99, 99], [0, 900]), sides, changing, settings);
  const other = { generation: 9, share: 0.5 };
  const next = observe(unsettled, figures([199, 199], [0, 1000]), sides, other, settings);
  for (const state of [isNew, unsettled, next]) expect(evidenceOf(state).errors).toBe(0);
  expect(next.candidate.errors).toBe(199);
  expect(judge(next, settings).outcome).not.toBe("fail");
});

test("a route counts as in force once the router has acknowledged it, with each side's part of both", () => {
  const three = { weights: { d1: 60, d2: 20, d3: 20 } };
  expect(sharingOf(sides, anEndpoint(three))).toEqual({ generation: 7, share: 0.25 });
  expect(sharingOf(sides, anEndpoint({ ...three, observed_generation: 6 })).generation).toBeNull();
  expect(sharingOf(sides, null)).toEqual({ generation: null, share: 0 });
});

test("requests that hung in an outage before a challenge and fail in it are no evidence", () => {
  const all = { generation: 8, share: 1 };
  const challenged = { generation: 9, share: 0.8 };
  const seen = (candidate: VersionFigures, baseline: VersionFigures) => [baseline, candidate];
  const hung = { ...figuresOf("d2", [0, 1000]), in_flight: 1500 };
  const before = observe(newJudgeState([]), seen(hung, figuresOf("d1", [0, 9000])), sides, all, settings);
  const begins = observe(before, seen(hung, figuresOf("d1", [0, 9000])), sides, challenged, settings);
  const ended = seen(figuresOf("d2", [1180, 2260]), figuresOf("d1", [80, 9100]));
  const after = observe(begins, ended, sides, challenged, settings);
  expect(evidenceOf(after).errors).toBeLessThan(1);
  const forgetful = observe({ ...begins, evidence: noEvidences }, ended, sides, challenged, settings);
  expect(evidenceOf(forgetful).errors).toBeGreaterThan(Math.log(1 / settings.alpha));
});

const answering = (id: string, requests: number, more: Partial<VersionFigures>): VersionFigures => ({
  ...figuresOf(id, [0, requests]),
  ...more,
});
const after = (candidate: Partial<VersionFigures>, baseline: Partial<VersionFigures>, looks = 10) => {
  let state: JudgeState = begun();
  for (let index = 1; index <= looks; index += 1) {
    const grown = (counts: Partial<VersionFigures>): Partial<VersionFigures> => ({
      client_errors: (counts.client_errors ?? 0) * index,
      latency_counts: (counts.latency_counts ?? []).map((count) => count * index),
    });
    const now = [answering("d1", 90 * index, grown(baseline)), answering("d2", 10 * index, grown(candidate))];
    state = observe(state, now, sides, sharing, settings);
  }
  return judge(state, settings);
};

test("a candidate that refuses what the baseline answers fails for its 4xx, and no caller's bad values fail it", () => {
  const refusing = after({ client_errors: 10 }, { client_errors: 0 });
  expect(refusing.outcome).toBe("fail");
  expect(refusing.reason).toMatch(
    /refuses more of what callers send \(4xx\).*4xx to 100 of 100 \(100.00 %\)/,
  );
  expect(after({ client_errors: 10 }, { client_errors: 90 }).outcome).toBe("pass");
});

/** So many answers in the bin whose upper bound is named. */
const countsOf = (bins: Record<number, number>): number[] => [
  ...LATENCY_BOUNDS_MS.map((bound) => bins[bound] ?? 0),
  bins[Infinity] ?? 0,
];

test("a candidate whose answers take three times as long fails by its latency, with both sides' quantiles", () => {
  const slow = after(
    { latency_counts: countsOf({ 60: 9, 120: 1 }) },
    { latency_counts: countsOf({ 20: 80, 40: 10 }) },
    20,
  );
  expect(slow.outcome).toBe("fail");
  expect(slow.reason).toMatch(/slower by its p50, beyond doubt at 0.01/);
  expect(slow.signals.find(({ signal }) => signal === "latency_p50")).toMatchObject({ unit: "ms" });
  const alike = after({ latency_counts: countsOf({ 20: 10 }) }, { latency_counts: countsOf({ 20: 90 }) }, 20);
  expect(alike.outcome).toBe("pass");
  const tiny = { latency_counts: countsOf({ 4: 10 }) };
  expect(after(tiny, { latency_counts: countsOf({ 1: 90 }) }, 20).outcome).not.toBe("fail");
});

test("the first looks at a candidate are no part of its latency: it is cold", () => {
  const slow = { latency_counts: countsOf({ 8000: 10 }) };
  expect(after(slow, { latency_counts: countsOf({ 20: 90 }) }, 3).outcome).toBe("inconclusive");
});

test("a verdict names how answers failed", () => {
  const failing = [figuresOf("d1", [0, 90]), { ...figuresOf("d2", [9, 10]), timeouts: 4, resets: 2 }];
  const state = observe(begun(), failing, sides, sharing, settings);
  expect(judge(state, settings).reason).toContain("of which 4 by timeout and 2 by a broken connection");
});

test("a step's samples begin with the step, and failing needs none", () => {
  const bad = goOn(begun(), 5, () => ({ candidate: 10, baseline: 0 }));
  expect(judge(beginStep(bad), settings).outcome).toBe("fail");
  const fine = beginStep(goOn(begun(), 10, good));
  expect(judge(fine, settings)).toMatchObject({ outcome: "inconclusive", lacks: "samples" });
  expect(judge(fine, settings).reason).toContain("0 of at least 50 samples at this step");
});

test("passing with a bound says what it excludes, and waits until that is under the margin", () => {
  const early = goOn(begun(), 10, good);
  expect(judge(early, settings)).toMatchObject({ outcome: "pass" });
  expect(judge(early, settings, true)).toMatchObject({ outcome: "inconclusive", lacks: "bound" });
  const late = goOn(early, 50, good);
  const verdict = judge(late, settings, true);
  expect(verdict.outcome).toBe("pass");
  expect(verdict.worse_by_at_most).toBeLessThanOrEqual(settings.margin);
  expect(verdict.reason).toMatch(/worse by at most [\d.]+ %/);
  expect(judge(early, { ...settings, margin: 1 }, true).outcome).toBe("pass");
});

test.each([0.2, 0.5, 1])(
  "a baseline that fails %d of its callers does not keep a good candidate from its bound",
  (rate) => {
    const state = goOn(begun(), 60, () => ({ candidate: 0, baseline: Math.round(90 * rate) }));
    expect(judge(state, settings, true).outcome).toBe("pass");
  },
);

test("without a living baseline, what looks worse than it did before is held, and nothing is beyond doubt", () => {
  const known = newJudgeState([figuresOf("d1", [10, 1000])], "d1");
  const alone = (errors: number) =>
    observe(known, [figuresOf("d2", [errors, 60])], sides, { generation: null, share: 0 }, settings);
  expect(judgeAlone(alone(0), settings).outcome).toBe("pass");
  expect(judgeAlone(alone(30), settings)).toMatchObject({ outcome: "inconclusive", lacks: "evidence" });
});

test("what the baseline did before the rollout is bet by, and not judged", () => {
  const known = newJudgeState([figuresOf("d1", [90, 9000])], "d1");
  expect(known.recent.baseline).toMatchObject({ requests: 2000, errors: 20 });
  expect(known.baseline).toEqual(noAnswers);
});

test("what an earlier release has stored is read as a comparison that begins anew, with the same settings", () => {
  const old = {
    log_e: 3,
    candidate: { requests: 5, errors: 1 },
    baseline: { requests: 45, errors: 1 },
    since_lowest: { log_e: 0, candidate: { requests: 5, errors: 1 }, baseline: { requests: 0, errors: 0 } },
    latency: { candidate: [1], baseline: [2] },
    last_figures: [{ ...figuresOf("d1", [1, 45]), failure_runs: 0 }],
    failures_in_a_row: 1,
    failure_runs: 0,
  };
  const state = judgeStateSchema.parse(old);
  expect(state.candidate).toEqual({ ...noAnswers, requests: 5, errors: 1 });
  expect(evidenceOf(state).errors).toBe(0);
  const stored = { ...settings, margin: undefined, failures_in_a_row: 5 };
  expect(judgeSettingsSchema.parse(stored)).toEqual({ ...settings, margin: 0.02 });
});
