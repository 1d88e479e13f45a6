import { isDeepStrictEqual } from "node:util";
import type { AgentError } from "../../src/errors.ts";
import type { ModelDeployerRequest } from "../../src/agents/model_deployer/state/state.ts";
import { modelDeployerRequestOf } from "../support/decisions/followed.ts";
import { secondsUntil, withoutIds } from "./compared.ts";
import { found, type Tally } from "./tally.ts";
import { ask, follow, signatureOf, wait, type Walker } from "./world.ts";

/** Codes of parts that do not answer: what helps is that they come back. */
const OF_A_PART = ["service_unavailable", "deadline_exceeded", "service_refused"];
const HOUR = 3600;

const isSame = (one: AgentError | null, other: AgentError): boolean =>
  one !== null && one.code === other.code && withoutIds(one.message) === withoutIds(other.message);

/** Carries a request out and, where it is refused, checks all that the refusal says on copies of the state. */
export async function checked(
  walker: Walker,
  request: ModelDeployerRequest,
  tally: Tally,
): Promise<AgentError | null> {
  const refused = await ask(walker, request);
  await checkAnswer(walker, { request, refused, isAlone: true }, tally);
  return refused;
}

export interface Answer {
  request: ModelDeployerRequest;
  refused: AgentError | null;
  /** Whether nobody else asked for anything meanwhile; else what was final when it was said need not be so any more. */
  isAlone: boolean;
}

export async function checkAnswer(walker: Walker, answer: Answer, tally: Tally): Promise<void> {
  tally.requests += 1;
  const { request, refused, isAlone } = answer;
  if (refused === null) return;
  tally.refusals.set(refused.code, (tally.refusals.get(refused.code) ?? 0) + 1);
  if (walker.copy === undefined || OF_A_PART.includes(refused.code)) return;
  const state = await signatureOf(walker);
  const key = `${state} ${request.deployment_action} ${refused.code} ${withoutIds(refused.message)}`;
  if (tally.known.has(key)) return;
  tally.known.add(key);
  // Whoever was refused goes on from what there is then, not from what there was before.
  await checkHints(walker, answer, refused, tally);
  if (isAlone || refused.retryable) await checkPromise(walker, request, refused, tally);
}

async function checkHints(
  state: Walker,
  { request, isAlone }: Answer,
  refused: AgentError,
  tally: Tally,
): Promise<void> {
  for (const step of refused.next) {
    const copy = await state.copy?.();
    if (copy === undefined || step.request === null) continue;
    tally.checked_hints += 1;
    if (isDeepStrictEqual(modelDeployerRequestOf(step), request)) {
      tally.circles.push(found(tally, `${refused.message} -> itself`));
      continue;
    }
    const again = await follow(copy, step);
    // Where two asked, what one was told to do the other may have done: that is said of another name then.
    if (isAlone ? isSame(again, refused) : again?.message === refused.message)
      tally.dead_ends.push(found(tally, `${refused.message} -> ${step.command}: ${again?.message ?? ""}`));
  }
}

async function checkPromise(
  state: Walker,
  request: ModelDeployerRequest,
  refused: AgentError,
  tally: Tally,
): Promise<void> {
  const copy = await state.copy?.();
  if (copy === undefined) return;
  if (!refused.retryable) {
    await copy.passTime({ seconds: HOUR });
    const again = await ask(copy, request);
    if (again?.code !== refused.code)
      tally.broken_promises.push(found(tally, `final, and then ${toldOf(again)}: ${refused.message}`));
    return;
  }
  const seconds = secondsUntil(refused.not_before, await copy.database.clock.now());
  for (const more of [seconds, ...LATER]) {
    await wait(copy, more);
    const again = await ask(copy, request);
    if (!isSame(again, refused)) return;
  }
  tally.broken_promises.push(found(tally, `may pass, and did not in days: ${refused.message}`));
}

const toldOf = (again: AgentError | null): string =>
  again === null ? "granted" : `${again.code} (${again.message})`;

/** Long enough for a rollout that runs to come to its end under its callers' requests. */
const LATER = [...Array.from({ length: 12 }, () => 10 * 60), ...Array.from({ length: 4 }, () => 24 * HOUR)];
