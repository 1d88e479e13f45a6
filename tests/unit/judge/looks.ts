import type { VersionFigures } from "../../../src/agents/model_deployer/domain/evidence/figures.ts";
import type {
  JudgeSettings,
  JudgeState,
} from "../../../src/agents/model_deployer/domain/evidence/judgement.ts";
import { newJudgeState, observe } from "../../../src/agents/model_deployer/judge/observe.ts";
import { aRollout, figuresOf } from "../../support/given/given_facts.ts";

export const sides = { candidate_id: "d2", baseline_id: "d1" };
export const settings: JudgeSettings = aRollout().judge;

/** Errors of requests. */
export type Count = readonly [number, number];

export const figures = (candidate: Count, baseline: Count, epoch = "1"): VersionFigures[] => [
  figuresOf("d1", baseline, epoch),
  figuresOf("d2", candidate, epoch),
];

export const sharing = { generation: 8, share: 0.1 };

/** Cumulated counts, under a tenth of the traffic. */
export const look = (state: JudgeState, candidate: Count, baseline: Count, epoch = "1"): JudgeState =>
  observe(state, figures(candidate, baseline, epoch), sides, sharing, settings);

/** The route has been seen in force, and the next answers are compared. */
export const begun = (before: VersionFigures[] = []): JudgeState =>
  observe(newJudgeState(before, "d1"), before, sides, sharing, settings);

export interface Errors {
  candidate: number;
  baseline: number;
}

/** More looks, each of ten answers of the candidate and ninety of the baseline; so many fail at each look in turn. */
export function goOn(from: JudgeState, looks: number, errorsOf: (index: number) => Errors): JudgeState {
  let state = from;
  for (let index = 0; index < looks; index += 1) {
    const { candidate, baseline } = errorsOf(index);
    const { candidate: c, baseline: b } = state;
    state = look(state, [c.errors + candidate, c.requests + 10], [b.errors + baseline, b.requests + 90]);
  }
  return state;
}

/** How many of so many answers fail. */
export const failedOf = (random: () => number, requests: number, rate: number): number =>
  Array.from({ length: requests }, random).filter((value) => value < rate).length;
