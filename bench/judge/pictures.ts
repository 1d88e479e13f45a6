import { mkdir, writeFile } from "node:fs/promises";
import { defaultJudgeSettings } from "../../src/agents/model_deployer/domain/traffic/rollout_plan.ts";
import { newJudgeState, observe } from "../../src/agents/model_deployer/judge/observe.ts";
import { SHARES } from "../../src/agents/model_deployer/judge/signals.ts";
import { judge } from "../../src/agents/model_deployer/judge/verdict.ts";
import { type Line, lineChart } from "./line_chart.ts";
import { randomFrom } from "./random.ts";
import { type Scenario, type Side, Traffic } from "./traffic.ts";

const SECONDS = 180;
const usual = { requests: 100, share: 0.1 };
const failing =
  (candidate: number, baseline = 0.007) =>
  (_: number, side: Side) =>
    side === "candidate" ? candidate : baseline;

const drawn: readonly { scenario: Scenario; colour: string }[] = [
  {
    colour: "#8a8a8a",
    scenario: { ...usual, name: "no worse, both fail .7 %", failureRate: () => 0.007 },
  },
  {
    colour: "#1b6ac9",
    scenario: {
      ...usual,
      name: "no worse, 60 % fail from 60 to 90 s",
      failureRate: (second: number) => (second > 60 && second <= 90 ? 0.6 : 0.007),
    },
  },
  { colour: "#e08a00", scenario: { ...usual, name: "fails 2 % against .7 %", failureRate: failing(0.02) } },
  { colour: "#7b2fa0", scenario: { ...usual, name: "fails 5 % against .7 %", failureRate: failing(0.05) } },
];

interface Seen {
  evidence: readonly (readonly [number, number | null])[];
  /** In percent; all of them where no bound is known. */
  bound: readonly (readonly [number, number])[];
}

/** One run of the scenario, in which nobody acts on the verdicts. */
function runOf(scenario: Scenario, seed: number): Seen {
  const traffic = new Traffic(scenario, randomFrom(seed));
  traffic.before(2000);
  let state = newJudgeState(traffic.figures(), "baseline");
  const seen: { evidence: [number, number | null][]; bound: [number, number][] } = {
    evidence: [],
    bound: [],
  };
  for (let second = 1; second <= SECONDS; second += 1) {
    traffic.pass(second);
    const sides = { candidate_id: "candidate", baseline_id: "baseline" };
    const sharing = { generation: 1, share: scenario.share };
    state = observe(state, traffic.figures(), sides, sharing, defaultJudgeSettings);
    const { signals, worse_by_at_most } = judge(state, defaultJudgeSettings);
    seen.evidence.push([second, signals.find(({ signal }) => signal === "errors")?.e_value ?? null]);
    seen.bound.push([second, 100 * (worse_by_at_most ?? 1)]);
  }
  return seen;
}

/** Writes the pictures of docs/judge.md: one run of each scenario, by the same seed. */
export async function writePictures(folder: URL, seed: number): Promise<string[]> {
  const runs = drawn.map(({ scenario, colour }) => ({
    name: scenario.name,
    colour,
    ...runOf(scenario, seed),
  }));
  const lines = (what: keyof Seen, those = runs): Line[] =>
    those.map((run) => ({ name: run.name, colour: run.colour, points: run[what] }));
  const ticks = [0, 30, 60, 90, 120, 150, 180];
  const x = { name: "seconds, 100 requests each, 10 of them to the candidate", from: 0, to: SECONDS, ticks };
  const needed = 1 / (defaultJudgeSettings.alpha * SHARES.errors);
  const pictures = {
    "judge_evidence.svg": lineChart({
      title: "Evidence that the candidate fails more often",
      x,
      y: {
        ...{ name: "e-value", from: 0.01, to: 100_000, unit: "", isLogarithmic: true },
        ticks: [0.01, 0.1, 1, 10, 100, 1000, 10_000, 100_000],
      },
      lines: lines("evidence"),
      bound: { at: needed, name: `failed from ${Math.round(needed)} on` },
    }),
    "judge_bound.svg": lineChart({
      title: "What a pass would exclude at each look: worse by at most",
      x,
      y: {
        ...{ name: "of what the baseline gets right", from: 0, to: 10, unit: " %", isLogarithmic: false },
        ticks: [0, 2, 4, 6, 8, 10],
      },
      lines: lines("bound", runs.slice(0, 3)),
      bound: { at: 100 * defaultJudgeSettings.margin, name: "all traffic needs 2 % or less" },
    }),
  };
  await mkdir(folder, { recursive: true });
  for (const [name, picture] of Object.entries(pictures)) await writeFile(new URL(name, folder), picture);
  return Object.keys(pictures);
}
