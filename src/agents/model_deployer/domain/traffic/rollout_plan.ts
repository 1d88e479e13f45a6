import type { RolloutRequest } from "../requests.ts";
import type { AskedJudgeSettings, JudgeSettings } from "../evidence/judgement.ts";
import type { RolloutPlan, RolloutStep } from "./rollout.ts";

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
 * `alpha` is the bound on false alarms of all signals together; at a tenth of the traffic and 100 requests a second a
 * candidate that fails 5 % where the baseline fails .7 % is found within 15 s (docs/judge_figures.md).
 */
export const defaultJudgeSettings: JudgeSettings = {
  alpha: 0.01,
  minimum_samples: 50,
  effect_floor: 0.01,
  margin: 0.02,
  maximum_inconclusive_looks: 600,
  when_inconclusive: "roll_back",
  maximum_latency_ratio: 1.25,
  latency_floor_ms: 5,
  outcomes: null,
  predictions: null,
  metrics: {},
};

/** The steps of a name that callers may give instead. */
export const stepsOfPreset = (preset: keyof typeof PRESETS): RolloutStep[] => [...PRESETS[preset]];

/** @param usual judge settings where the request names none */
export function planRollout(request: RolloutRequest, usual: AskedJudgeSettings = {}): RolloutPlan {
  const isPreset = typeof request === "string";
  const judge = settingsOver(
    settingsOver(defaultJudgeSettings, usual),
    isPreset ? {} : (request.judge ?? {}),
  );
  return { steps: isPreset ? stepsOfPreset(request) : request.steps, judge };
}

/** A sentence about settings that contradict each other; null where they go together. */
export function refuseJudgeSettings({ margin, effect_floor: floor, outcomes }: JudgeSettings): string | null {
  const ofOutcomes = outcomes?.margin ?? null;
  if (outcomes !== null && ofOutcomes !== null) {
    if (outcomes.measure === "absolute_error") {
      return `The margin ${ofOutcomes} of outcomes is of no use with absolute_error, which has no largest loss and so no bound; leave it out.`;
    }
    if (ofOutcomes < outcomes.worse_by) {
      return (
        `The margin ${ofOutcomes} of outcomes is below their worse_by ${outcomes.worse_by}: a candidate that is worse by ` +
        "something between them could neither pass nor fail. Ask for a larger margin, or a smaller worse_by."
      );
    }
  }
  if (margin >= floor) return null;
  return (
    `The judge's margin ${margin} is below its effect_floor ${floor}: a candidate that is worse by something between ` +
    "them could neither pass nor fail. Ask for a larger margin, or a floor of at most the margin."
  );
}

/** The settings with those that are asked for; an undefined one leaves what was. */
export function settingsOver(settings: JudgeSettings, asked: AskedJudgeSettings): JudgeSettings {
  const given = Object.entries(asked).filter(([, value]) => value !== undefined);
  return { ...settings, ...Object.fromEntries(given) };
}
