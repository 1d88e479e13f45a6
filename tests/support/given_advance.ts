import { expect } from "vitest";
import { type Advance, decideAdvance } from "../../src/agents/model_deployer/domain/decide_advance.ts";
import type { Rollout } from "../../src/agents/model_deployer/domain/rollout.ts";
import type { AdvanceFacts } from "../../src/agents/model_deployer/domain/rollout_look.ts";
import { planOf } from "./decided.ts";
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
    retention_seconds: 3600,
    current: aDeployment(2, { status: "deploying" }),
    current_version: aVersion(2),
    endpoint: anEndpoint({ weights: { d1: 90, d2: 10 }, mirror_deployment_id: "d5" }),
    previous: aDeployment(1),
    previous_version: aVersion(1, { stage: "archived" }),
    previous_is_ready: true,
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
