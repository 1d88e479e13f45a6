import canonicalize from "canonicalize";
import { AgentError } from "../../../src/agents/base/agent_error.ts";
import type { GivenDeployer } from "../../support/deployer.ts";
import { carry } from "./carried_errors.ts";
import type { Deed } from "./children/protocol.ts";

/** The parts of a deployer that carrying on needs. */
export type Carrier = Pick<GivenDeployer, "world" | "database" | "graph" | "agent" | "worker">;

/** A story with one process in it that may be killed. */
export interface CrashScenario<Given extends Carrier = GivenDeployer> {
  name: string;
  /** Brings about what is there before. @returns what the process does that is killed */
  given(deployer: Given): Promise<Deed>;
  /** Outside events before each action, such as traffic or an approval; none unless given. */
  meanwhile?(deployer: Given): Promise<void>;
  /** Outside events after a process has died and before anybody carries on; none unless given. */
  afterDeath?(deployer: Given): Promise<void>;
  /** The code of the error that it all ends with; none unless given. */
  fails?: string;
}

/** How what the process left behind is carried to its end. */
export type Resumption = "worker" | "request";

/** So much later that no lease, claim or delay of a dead process counts any more; of rollouts only the claims. */
const TIME_PASSES = `
  update ml_leases set expires_at = clock_timestamp() where not released;
  update ml_outbox set next_attempt_at = clock_timestamp() where delivered_at is null;
  update ml_deployments set stopping_until = clock_timestamp() where stopping_until is not null;
  update ml_deployments set drain_due_at = clock_timestamp()
    where drain_due_at between clock_timestamp() and clock_timestamp() + interval '1 minute';
  update ml_rollouts set claimed_until = null, next_tick_at = clock_timestamp() + interval '1 hour'
    where status = 'running'`;

export async function letTimePass<Given extends Carrier>(
  scenario: CrashScenario<Given>,
  given: Given,
): Promise<void> {
  await given.world.sql(TIME_PASSES);
  await scenario.meanwhile?.(given);
}

/** A caller's final answer, without parts that may differ. */
export interface Told {
  error: string | null;
  answer: unknown;
}

/** Somebody else goes on: a worker, or the caller who asks again and gets the answer. */
export async function resume<Given extends Carrier>(
  scenario: CrashScenario<Given>,
  given: Given,
  deed: Deed,
  by: Resumption,
): Promise<Told | null> {
  await letTimePass(scenario, given);
  if (by === "worker") await given.worker.tick();
  await letTimePass(scenario, given);
  return deed.does === "request" ? askAgain(scenario, given, deed.request) : null;
}

/** Until nobody's approval is missing any more. */
async function askAgain<Given extends Carrier>(
  scenario: CrashScenario<Given>,
  given: Given,
  request: Record<string, unknown>,
): Promise<Told> {
  for (let asked = 1; ; asked += 1) {
    const answer = await ask(given, request);
    if (answer.error !== "approval_required" || asked === MOST_ASKED) return answer;
    await letTimePass(scenario, given);
  }
}

const MOST_ASKED = 3;

/** One caller's answer. */
export async function ask(given: Carrier, request: Record<string, unknown>): Promise<Told> {
  try {
    const action = String(request["deployment_action"]);
    return told(await given.agent.execute({ ...request, deployment_action: action }), null);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return told(null, carry(error).code);
  }
}

const DIFFERS =
  /"(endpoint_url|promoted_at|deployed_at|next_tick_at|deployment_duration_seconds)":("[^"]*"|[\d.]+|null)/g;

/** An answer that was stored lacks the plan, and whoever asks again may be warned of other things. */
function told(answer: unknown, error: string | null): Told {
  if (typeof answer !== "object" || answer === null) return { answer: null, error };
  const lasting = Object.entries(answer).filter(
    ([name]) => !["deployment_plan", "warnings", "degraded", "spans"].includes(name),
  );
  // MLflow tells metrics in any order.
  return { answer: canonicalize(Object.fromEntries(lasting))?.replaceAll(DIFFERS, ""), error };
}

const ROUNDS = 12;

/** Worker's rounds until nothing is due any more. @returns what the last round could not do */
export async function settle<Given extends Carrier>(
  scenario: CrashScenario<Given>,
  given: Given,
): Promise<string[]> {
  for (let round = 0; ; round += 1) {
    await letTimePass(scenario, given);
    const { resumed, drained, rollouts, problems } = await given.worker.tick();
    const [open] = await given.world.sql(
      "select count(*)::int as count from ml_outbox where delivered_at is null",
    );
    const moved = rollouts.filter(({ advance }) => advance !== "nothing");
    const isQuiet = resumed.length + drained.length + moved.length + Number(open?.["count"]) === 0;
    if (isQuiet || round === ROUNDS)
      return isQuiet ? problems : [`still busy after ${ROUNDS} rounds`, ...problems];
  }
}
