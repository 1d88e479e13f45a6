import type { ModelDeployerRequest } from "../../src/agents/model_deployer/state/state.ts";
import { ENDPOINT, EXPERIMENT } from "../../src/testing/index.ts";
import { modelDeployerRequestOf } from "../support/decisions/followed.ts";
import { checkLeftovers } from "./leftovers.ts";
import { secondsUntil, withoutIds } from "./compared.ts";
import { found, type Tally } from "./tally.ts";
import { ask, live, RUNS, type Run, serves, signatureOf, versionOf, wait, type Walker } from "./world.ts";

/** From this state so many of the runs come to production by what refusals say, a different one first each time. */
export async function checkReach(walker: Walker, tally: Tally, pursued: number): Promise<void> {
  const state = await signatureOf(walker);
  if (tally.states.has(state)) return;
  const first = tally.states.size;
  tally.states.add(state);
  await checkLeftovers(walker, tally);
  for (let index = 0; index < pursued; index += 1) {
    const run = RUNS[(first + index) % RUNS.length] ?? RUNS[0];
    const copy = walker.copy === undefined ? walker : await walker.copy();
    const way = await pursue(copy, run, tally.ways);
    if (way.reached) tally.longest_way = Math.max(tally.longest_way, way.requests);
    else
      (way.isCircle ? tally.circles : tally.dead_ends).push(
        found(tally, `${run} from ${state}: ${way.asked.join(" | ")}`),
      );
  }
}

interface Way {
  reached: boolean;
  isCircle: boolean;
  asked: string[];
  /** Those asked, and those that are known to be left from where they led. */
  requests: number;
}

const MOST_REQUESTS = 40;

/**
 * Asks for the run's version by name and follows what refusals say, first entry first, until its files serve, or a
 * state is reached from which they are known to come there.
 */
export async function pursue(walker: Walker, run: Run, ways: Tally["ways"]): Promise<Way> {
  const asked: string[] = [];
  const pursuit: Pursuit = { asked, tried: new Map(), waits: { count: 0 }, depth: 0 };
  const passed = new Map<string, number>();
  while (asked.length < MOST_REQUESTS) {
    const state = `${run} ${await signatureOf(walker)}`;
    const left = (await serves(walker, run)) ? 0 : ways.get(state);
    if (left !== undefined) {
      const requests = asked.length + left;
      for (const [before, count] of passed) ways.set(before, requests - count);
      return { reached: true, isCircle: false, asked, requests };
    }
    passed.set(state, asked.length);
    const progressed = await step(walker, await wanted(walker, run), pursuit);
    if (progressed !== "on")
      return { reached: false, isCircle: progressed === "circle", asked, requests: asked.length };
  }
  return { reached: false, isCircle: true, asked, requests: asked.length };
}

async function wanted(walker: Walker, run: Run): Promise<ModelDeployerRequest> {
  const version = await versionOf(walker, run);
  if (version === null)
    return { deployment_action: "register", experiment_id: EXPERIMENT, mlflow_run_id: run };
  return {
    deployment_action: "rollback",
    endpoint_name: ENDPOINT,
    rollback_to: version.model_version_id,
    rollback_reason: "callers want it",
  };
}

interface Pursuit {
  asked: string[];
  tried: Map<string, number>;
  depth: number;
  waits: { count: number };
}

const MOST_WAITS = 6;

const DEEPEST = 6;

async function step(
  walker: Walker,
  request: ModelDeployerRequest,
  pursuit: Pursuit,
): Promise<"on" | "stuck" | "circle"> {
  const { asked, tried, depth } = pursuit;
  asked.push(withoutIds(`${request.deployment_action} ${request.target_stage ?? request.rollback_to ?? ""}`));
  const refused = await ask(walker, request);
  if (refused === null) {
    tried.clear();
    return "on";
  }
  const key = `${await signatureOf(walker)} ${JSON.stringify(request)} ${refused.code}`;
  const times = (tried.get(key) ?? 0) + 1;
  tried.set(key, times);
  const requests = refused.next.filter((one) => one.request !== null);
  if (refused.not_before !== null || (refused.retryable && requests.length === 0)) {
    pursuit.waits.count += 1;
    if (pursuit.waits.count > MOST_WAITS) return "stuck";
    tried.clear();
    await wait(walker, secondsUntil(refused.not_before, await walker.database.clock.now()) + 1);
    return "on";
  }
  if (depth >= DEEPEST || asked.length >= MOST_REQUESTS) return "circle";
  const [first = null] = requests.slice(times - 1);
  if (first === null) return times > 1 ? "circle" : "stuck";
  if (first.action === "promote" || first.action === "deploy") await live(walker);
  return step(walker, modelDeployerRequestOf(first), { ...pursuit, depth: depth + 1 });
}
