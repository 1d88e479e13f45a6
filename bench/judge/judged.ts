import {
  beginChallenge,
  CHALLENGED_WEIGHT,
  endChallenge,
  isCleared,
  needsControl,
} from "../../src/agents/model_deployer/judge/challenge/challenge.ts";
import { newJudgeState, observe } from "../../src/agents/model_deployer/judge/observe.ts";
import { failedBy } from "../../src/agents/model_deployer/judge/verdict.ts";
import { defaultJudgeSettings } from "../../src/agents/model_deployer/domain/traffic/rollout_plan.ts";
import { type Peer, peers } from "./peers.ts";
import { randomFrom } from "./random.ts";
import { type Scenario, Traffic } from "./traffic.ts";

/** Requests before the rollout, by which the judge knows the baseline. */
const PAST = 2000;
const sides = { candidate_id: "candidate", baseline_id: "baseline" };

/** The second in which it gave the candidate up; null when it never did. */
export type Found = number | null;

export interface Run {
  judge: Found;
  /** Challenges, and seconds that they lasted together. */
  challenges: number;
  challenged: number;
}

/** A look each second. A candidate with all traffic is challenged where the judge asks for it. */
export function judgeOnce(scenario: Scenario, seed: number, seconds: number): Run {
  const traffic = new Traffic(scenario, randomFrom(seed));
  traffic.before(PAST);
  let state = newJudgeState(traffic.figures(), "baseline");
  let share = scenario.share;
  let generation = 1;
  const run: Run = { judge: null, challenges: 0, challenged: 0 };
  for (let second = 1; second <= seconds; second += 1) {
    traffic.pass(second, share);
    if (share < scenario.share) run.challenged += 1;
    state = observe(state, traffic.figures(), sides, { generation, share }, defaultJudgeSettings);
    if (failedBy(state, defaultJudgeSettings) !== null) return { ...run, judge: second };
    if (share === 1 && needsControl(state)) {
      run.challenges += 1;
      share = CHALLENGED_WEIGHT / 100;
      generation += 1;
      state = beginChallenge(state);
    } else if (
      share < scenario.share &&
      isCleared(state, { outcome: "inconclusive" }, defaultJudgeSettings)
    ) {
      share = scenario.share;
      generation += 1;
      state = endChallenge(state, true);
    }
  }
  return run;
}

export function peersOnce(scenario: Scenario, seed: number, seconds: number): Map<Peer, Found> {
  const traffic = new Traffic(scenario, randomFrom(seed));
  traffic.before(PAST);
  const looks = peers.map((peer) => ({ peer, look: peer.begin() }));
  const found = new Map<Peer, Found>(peers.map((peer) => [peer, null]));
  for (let second = 1; second <= seconds; second += 1) {
    traffic.pass(second);
    for (const { peer, look } of looks) {
      if (look(second, traffic)) found.set(peer, found.get(peer) ?? second);
    }
  }
  return found;
}
