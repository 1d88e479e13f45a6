import { judge, observe } from "./canary_judge.ts";
import type { RollbackFacts } from "./decide_rollback.ts";
import { sidesOf } from "./live_figures.ts";
import type { DecisionContext } from "./requests.ts";
import type { JudgeState, Rollout, Verdict, VersionFigures } from "./rollout.ts";

export interface AdvanceFacts extends Omit<RollbackFacts, "live"> {
  rollout: Rollout;
  figures: VersionFigures[];
  /** The candidate's server answers now, with the expected tag. */
  candidate_is_ready: boolean;
  retention_seconds: number;
}

/** A look, with what it came to. */
export interface Look {
  facts: AdvanceFacts;
  context: DecisionContext;
  state: JudgeState;
  verdict: Verdict;
}

export function lookAt(facts: AdvanceFacts, context: DecisionContext): Look {
  const { rollout } = facts;
  const state = observe(rollout.judge_state, facts.figures, sidesOf(rollout), rollout.judge);
  const judged = judge(state, rollout.judge);
  const verdict = facts.candidate_is_ready
    ? judged
    : failed(judged, "the candidate's server does not answer");
  return { facts, context, state, verdict };
}

const failed = (verdict: Verdict, why: string): Verdict => ({
  ...verdict,
  outcome: "fail",
  reason: `${why}: ${verdict.reason}`,
});

/** It has a share of the traffic, and does not answer. */
export function isBaselineDead({ rollout, endpoint, previous, previous_is_ready }: AdvanceFacts): boolean {
  const share = endpoint?.weights[rollout.baseline_deployment_id] ?? 0;
  return share > 0 && previous?.deployment_id === rollout.baseline_deployment_id && !previous_is_ready;
}
