import { expect } from "vitest";
import { decideAdvance } from "../../../src/agents/model_deployer/actions/advance/decide.ts";
import type { Advance } from "../../../src/agents/model_deployer/actions/advance/outcomes.ts";
import type { Rollout } from "../../../src/agents/model_deployer/domain/traffic/rollout.ts";
import type { AdvanceFacts } from "../../../src/agents/model_deployer/actions/advance/facts.ts";
import { planOf } from "../decisions/decided.ts";
import { aDeployment, anEndpoint, aRollout, aVersion, context, figuresOf, later } from "./given_facts.ts";

/** Errors of requests. */
export type Count = readonly [number, number];

interface Given {
  rollout?: Partial<Rollout>;
  candidate?: Count;
  baseline?: Count;
  seconds?: number;
  facts?: Partial<AdvanceFacts>;
}

export function advance({
  rollout,
  candidate = [0, 60],
  baseline = [0, 540],
  seconds = 60,
  facts,
}: Given = {}): Advance {
  const running = aRollout(rollout);
  const known: AdvanceFacts = {
    rollout: running,
    figures: [figuresOf("d1", baseline), figuresOf("d2", candidate)],
    candidate_life: { life: "alive" },
    previous_life: { life: "alive" },
    candidate_hangs: false,
    previous_hangs: false,
    previous_restarts: null,
    retention_seconds: 3600,
    answer_seconds: 15,
    outcomes: null,
    outcomes_missing: null,
    predictions: null,
    predictions_missing: null,
    metrics: {},
    current: aDeployment(2, { status: "deploying" }),
    current_version: aVersion(2),
    endpoint: anEndpoint({ weights: { d1: 90, d2: 10 }, mirror_deployment_id: "d5" }),
    previous: aDeployment(1),
    previous_version: aVersion(1, { stage: "archived" }),
    previous_server: "ready",
    open_rollout: running,
    completed_rollout: null,
    ...facts,
  };
  return decideAdvance(known, { ...context, now: later(seconds) });
}

export function planOfMove(given?: Given) {
  const made = advance(given);
  return made.advance === "move" ? planOf(made.decision) : expect.fail(`it came to ${made.advance}`);
}

export function changeOfHold(given?: Given) {
  const made = advance(given);
  return made.advance === "hold" ? made.change : expect.fail(`it came to ${made.advance}`);
}

/** At its last step, which is watched for its bake time. */
export const lastIsWatched = {
  steps: [
    { weight: 10, bake_seconds: 60 },
    { weight: 100, bake_seconds: 60 },
  ],
  step_index: 1,
};
export const atTheEnd = { endpoint: anEndpoint({ weights: { d2: 100 } }) };

/** Completed, and watched in its retention period. */
export const watched = {
  status: "completed" as const,
  step_index: 2,
  watched_until: later(3600),
  judge_state: changeOfHold({ baseline: [5, 540], seconds: 1 }).judge_state,
};
export const replaced = {
  current: aDeployment(2),
  ...atTheEnd,
  previous: aDeployment(1, { status: "draining" }),
  open_rollout: null,
};
