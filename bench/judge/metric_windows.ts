import {
  type MetricReadings,
  type MetricSettings,
  type SideReading,
  usualMetricSettings,
} from "../../src/agents/model_deployer/domain/evidence/team_metrics.ts";
import { addMetrics } from "../../src/agents/model_deployer/judge/evidence/metric_evidence.ts";
import { failingMetric } from "../../src/agents/model_deployer/judge/metric_verdict.ts";
import { defaultJudgeSettings } from "../../src/agents/model_deployer/domain/traffic/rollout_plan.ts";
import { binomialFrom, normalFrom, randomFrom } from "./random.ts";
import type { Side } from "./traffic.ts";

/** What a server of metrics says of both sides, window by window. */
export interface Windows {
  name: string;
  kind: "value" | "share";
  /** How many metrics there are, each drawn by itself. */
  metrics?: number;
  /** What both would have in a window when nothing is wrong; of shares the share. */
  level: (window: number) => number;
  /** The candidate's, as a multiple of it. */
  times?: number;
  /** The candidate is read so many windows earlier. */
  earlier?: number;
}

/** Answers of each side in one window. */
const ANSWERS = { candidate: 600, baseline: 5400 } as const;
const outage = (usual: number, out: number) => (window: number) => (window % 12 === 11 ? out : usual);

export const alikeWindows: readonly Windows[] = [
  { name: "a mean that stays", kind: "value", level: () => 20 },
  { name: "a mean that rises tenfold", kind: "value", level: (window) => 20 + window },
  {
    name: "a shared outage, read earlier at the candidate",
    kind: "value",
    level: outage(20, 400),
    earlier: 1,
  },
  { name: "1 % of the answers", kind: "share", level: () => 0.01 },
  { name: "0.1 % of the answers", kind: "share", level: () => 0.001 },
  { name: "from 1 to 30 % in an outage, read earlier", kind: "share", level: outage(0.01, 0.3), earlier: 1 },
  { name: "20 metrics at once", kind: "value", level: () => 20, metrics: 20 },
];

export const worseWindows: readonly Windows[] = [
  { name: "a mean 1.5 times as high", kind: "value", level: () => 20, times: 1.5 },
  { name: "a mean 1.15 times as high", kind: "value", level: () => 20, times: 1.15 },
  { name: "10 % of the answers against 1 %", kind: "share", level: () => 0.01, times: 10 },
  { name: "3 % of the answers against 1 %", kind: "share", level: () => 0.01, times: 3 },
];

/** Windows until the candidate was failed, by the judge and by three misses in a row. */
export interface WindowsFound {
  judge: number | null;
  threeMisses: number | null;
}

const MINUTE = 60_000;
const MISSES = 3;

export function watchWindows(given: Windows, seed: number, windows: number): WindowsFound {
  const random = randomFrom(seed);
  const names = Array.from({ length: given.metrics ?? 1 }, (_, index) => `m${index}`);
  const asked: MetricSettings = {
    ...usualMetricSettings,
    query: "{{deployment}}",
    worse: "higher",
    of: given.kind === "share" ? "{{deployment}}" : null,
  };
  const metrics = Object.fromEntries(names.map((name) => [name, asked]));
  const settings = { ...defaultJudgeSettings, metrics };
  const sharing = { generation: 1, share: 0.1, answer_seconds: 15 };
  let evidence = addMetrics({}, metrics, {}, sharing, 0);
  let misses = 0;
  const found: WindowsFound = { judge: null, threeMisses: null };
  for (let window = 1; window <= windows; window += 1) {
    const readings: MetricReadings = Object.fromEntries(
      names.map((name) => [
        name,
        {
          candidate: read(given, "candidate", window, random),
          baseline: read(given, "baseline", window, random),
        },
      ]),
    );
    evidence = addMetrics(evidence, metrics, readings, sharing, window * MINUTE);
    if (failingMetric({ metrics: evidence }, settings) !== null) found.judge ??= window;
    misses = Object.values(readings).some(isMiss) ? misses + 1 : 0;
    if (misses >= MISSES) found.threeMisses ??= window;
    if (found.judge !== null && found.threeMisses !== null) break;
  }
  return found;
}

function read(given: Windows, side: Side, window: number, random: () => number): SideReading {
  const at = side === "candidate" ? window + (given.earlier ?? 0) : window;
  const level = given.level(at) * (side === "candidate" ? (given.times ?? 1) : 1);
  const answers = ANSWERS[side];
  if (given.kind === "share") {
    const marked = binomialFrom(random, answers, Math.min(1, level));
    return { reading: { value: marked }, of: { value: answers } };
  }
  // A mean of numbers that spread as far as they are large.
  return { reading: { value: level * (1 + normalFrom(random) / Math.sqrt(answers)) }, of: null };
}

/** As a threshold of 1.1 times the baseline would have it. */
function isMiss({ candidate, baseline }: MetricReadings[string]): boolean {
  const [own, other] = [candidate, baseline].map(({ reading, of }) => {
    const value = "value" in reading ? reading.value : 0;
    return of !== null && "value" in of ? value / of.value : value;
  });
  return (own ?? 0) > 1.1 * (other ?? 0);
}
