import type { JudgeSettings, JudgeState, Verdict } from "../domain/evidence/judgement.ts";
import type { KeptLook, KeptLooks } from "../domain/evidence/kept_look.ts";
import { beginChallenge, endChallenge, isCleared } from "./challenge/challenge.ts";
import { beginStep, type JudgedSides, observe, observeAlone } from "./observe.ts";
import { judge, judgeAlone } from "./verdict.ts";

/** The first looks of a rollout are all kept. */
const KEPT_ALL = 600;
/**
 * Behind those, the next look is kept once this part of the time since the first has passed, so that their number grows
 * with the logarithm of that time.
 */
const KEPT_PART = 1 / 300;

/**
 * Whether a look is kept: each of the first ones, later fewer. Always where the route, the verdict's outcome or the
 * server changed; never where nothing was answered since. A look that is left out only makes a block longer.
 */
export function isKept(
  { looks: kept }: JudgeState,
  { hasChanged, hasAnswers, now }: { hasChanged: boolean; hasAnswers: boolean; now: string },
): boolean {
  if (kept === null || hasChanged) return true;
  if (!hasAnswers) return false;
  const since = Date.parse(now) - Date.parse(kept.last_at);
  const age = Date.parse(now) - Date.parse(kept.first_at);
  return kept.count < KEPT_ALL || since >= KEPT_PART * age;
}

export interface JudgedLook {
  look: KeptLook;
  /** Under the other settings. */
  verdict: Verdict;
}

/**
 * The judge's verdict at each look under other settings. The traffic is what it was: a verdict that would
 * have ended the rollout earlier changes nothing of the looks behind it.
 */
export function judgeAgain(
  { before, looks }: KeptLooks,
  sides: JudgedSides,
  settings: JudgeSettings,
): JudgedLook[] {
  let state = before;
  let last: KeptLook | undefined;
  return looks.map((look) => {
    state = stateAt(followed(state, look, last, settings), look, sides, settings);
    last = look;
    return { look, verdict: verdictOf(state, look, settings) };
  });
}

/** The state as the decision at the last look left it. */
function followed(
  state: JudgeState,
  look: KeptLook,
  last: KeptLook | undefined,
  settings: JudgeSettings,
): JudgeState {
  if (look.challenged !== (state.challenged_for !== null)) {
    if (look.challenged) return beginChallenge(state);
    return endChallenge(state, last !== undefined && isCleared(state, last, settings));
  }
  return last !== undefined && last.step_index !== look.step_index ? beginStep(state) : state;
}

function stateAt(state: JudgeState, look: KeptLook, sides: JudgedSides, settings: JudgeSettings): JudgeState {
  const { figures, generation, share, alone, outcomes, predictions, metrics } = look;
  const seen = alone
    ? observeAlone(state, figures, sides, settings)
    : observe(state, figures, sides, { generation, share }, settings);
  return { ...seen, outcomes, predictions, metrics };
}

/** That a server did not answer is no matter of settings. */
function verdictOf(state: JudgeState, look: KeptLook, settings: JudgeSettings): Verdict {
  const verdict = look.alone ? judgeAlone(state, settings) : judge(state, settings, look.needs_bound);
  return look.answers ? verdict : { ...verdict, outcome: look.outcome, reason: look.reason };
}
