import { judge, observe } from "./canary_judge.ts";
import type { RollbackFacts } from "./decide_rollback.ts";
import { sidesOf } from "./live_figures.ts";
import type { Life } from "./liveness.ts";
import type { DecisionContext } from "./requests.ts";
import type { JudgeState, Rollout, Verdict, VersionFigures } from "./rollout.ts";

export interface AdvanceFacts extends Omit<RollbackFacts, "live"> {
  rollout: Rollout;
  figures: VersionFigures[];
  candidate_life: Life;
  /** Of the deployment that served before: while a rollout is open, its baseline. */
  previous_life: Life;
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
  return { facts, context, state, verdict: withLife(judged, facts.candidate_life) };
}

/** One late answer tells nothing, and allows nothing: the step is held until the server answers or counts as dead. */
function withLife(judged: Verdict, life: Life): Verdict {
  switch (life.life) {
    case "alive":
      return judged;
    case "missed":
      return judged.outcome === "pass"
        ? {
            ...judged,
            outcome: "inconclusive",
            reason: `the candidate's server: ${life.why}: ${judged.reason}`,
          }
        : judged;
    case "gone":
    case "silent":
      return failed(judged, `the candidate's server does not answer (${life.why})`);
    default:
      return life satisfies never;
  }
}

const failed = (verdict: Verdict, why: string): Verdict => ({
  ...verdict,
  outcome: "fail",
  reason: `${why}: ${verdict.reason}`,
});

/** It has a share of the traffic, and no process. One that runs is never started again by a look. */
export function isBaselineDead({ rollout, endpoint, previous, previous_life }: AdvanceFacts): boolean {
  const share = endpoint?.weights[rollout.baseline_deployment_id] ?? 0;
  return (
    share > 0 && previous?.deployment_id === rollout.baseline_deployment_id && previous_life.life === "gone"
  );
}
