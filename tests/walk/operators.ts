import type { ModelDeployerRequest } from "../../src/agents/model_deployer/state/state.ts";
import { checkAnswer } from "./checks.ts";
import type { Tally } from "./tally.ts";
import { ask, live, type Walker } from "./world.ts";

/** Two operators ask at the same moment, each by a process of their own; each answer is judged by what both have left. */
export async function askTogether(
  walker: Walker,
  [one, other]: readonly [ModelDeployerRequest, ModelDeployerRequest],
  tally: Tally,
): Promise<void> {
  const second = { ...walker, ...walker.beside() };
  const [first, later] = await Promise.all([ask(walker, one), ask(second, other)]);
  await checkAnswer(walker, { request: one, refused: first, isAlone: false }, tally);
  await checkAnswer(walker, { request: other, refused: later, isAlone: false }, tally);
}

/** Calls with effects, each of which may be a process' last. */
export const LAST_CALLS = [
  "registry.registerVersion",
  "packager.packageModel",
  "server.start",
  "router.open",
  "journal.record",
  "router.apply",
  "server.stop",
] as const;

/**
 * A process ends before that call, or has answered before it. Once its lease has run out somebody may ask for something
 * else, and then the worker goes on.
 */
export async function dieWhileAsking(
  walker: Walker,
  request: ModelDeployerRequest,
  call: (typeof LAST_CALLS)[number],
  beforeTheWorker: () => Promise<unknown> = async () => undefined,
): Promise<void> {
  const dying = walker.beside();
  const { reached } = dying.wire.hold(call);
  await Promise.race([reached, ask({ ...walker, ...dying }, request)]);
  await walker.passTime({ minutes: 2 });
  await beforeTheWorker();
  await live(walker);
  await live(walker);
}
