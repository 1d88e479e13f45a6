import type { RolloutRequest } from "./requests.ts";
import type { JudgeSettings, RolloutStep } from "./rollout.ts";

/** Ten per cent more each minute, as the spec has it. */
const LINEAR: RolloutStep[] = [10, 20, 30, 40, 50, 60, 70, 80, 90, 100].map((weight) => ({
  weight,
  bake_seconds: weight === 100 ? 0 : 60,
}));
const CANARY: RolloutStep[] = [
  { weight: 5, bake_seconds: 300 },
  { weight: 25, bake_seconds: 300 },
  { weight: 50, bake_seconds: 300 },
  { weight: 100, bake_seconds: 0 },
];
const IMMEDIATE: RolloutStep[] = [{ weight: 100, bake_seconds: 0 }];

const PRESETS = { linear: LINEAR, canary: CANARY, immediate: IMMEDIATE } as const;

/**
 * `alpha` is the bound on false alarms; simulated ones are far fewer, and at a tenth of the traffic and 100 requests a
 * second a candidate that fails 5 % where the baseline fails 1 % is found within 15 s (docs/benchmarks.md).
 */
export const defaultJudgeSettings: JudgeSettings = {
  alpha: 0.03,
  minimum_samples: 50,
  effect_floor: 0.01,
  failures_in_a_row: 5,
  maximum_inconclusive_looks: 600,
  when_inconclusive: "roll_back",
  maximum_latency_ratio: 2,
  latency_floor_ms: 10,
};

export interface RolloutPlan {
  steps: RolloutStep[];
  judge: JudgeSettings;
}

/** Names what is wrong with steps of one's own; null when nothing is. */
export function refuseSteps(steps: readonly RolloutStep[]): string | null {
  const weights = steps.map((step) => step.weight);
  if (weights.at(-1) !== 100) return `the last step must have weight 100, not ${weights.at(-1)}`;
  const fallsAt = weights.findIndex((weight, index) => index > 0 && weight <= (weights[index - 1] ?? 0));
  return fallsAt === -1 ? null : `weights must rise, and step ${fallsAt + 1} (${weights[fallsAt]}) does not`;
}

export function planRollout(request: RolloutRequest): RolloutPlan {
  if (typeof request === "string") return { steps: [...PRESETS[request]], judge: defaultJudgeSettings };
  const given = Object.fromEntries(
    Object.entries(request.judge ?? {}).filter(([, value]) => value !== undefined),
  );
  return { steps: request.steps, judge: { ...defaultJudgeSettings, ...given } };
}
