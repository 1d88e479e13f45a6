import { AgentError } from "../../../src/agents/base/agent_error.ts";
import type { Route } from "../../../src/agents/model_deployer/domain/traffic/rollout.ts";
import type { Parts } from "../../../src/agents/model_deployer/ports/parts.ts";
import type { ModelDeployerAnswer } from "../../../src/agents/model_deployer/state/state.ts";
import { anotherProcess, type GivenDeployer } from "../../support/deployer.ts";
import { pollUntil, PollTimeoutError } from "../../../src/testing/poll.ts";
import type { TestServices } from "../../support/services/test_services.ts";
import { openScratchDeployer, type ScratchDeployer } from "../harness/scratch.ts";
import type { Fault, FaultOptions } from "../harness/fault_proxy.ts";
import { violationsOf } from "../invariants/invariants.ts";
import { type Neighbour, type Neighbourhood, openNeighbourhood } from "./neighbourhood.ts";
import { type Action, prepare, type Prepared, runsInMemory, runsInMlflow } from "./prepared_actions.ts";
import { type DeployerProcess, processWith } from "./process_with.ts";

export interface NeighbourCase {
  neighbour: Neighbour;
  fault: Fault;
  action: Action;
  options: FaultOptions;
}

export interface CaseResult {
  /** Whether the caller was answered at all, inside the SLA. */
  answered: boolean;
  bitten: boolean;
  seconds: number;
  /** The caller's answer in a few words. */
  told: string;
  complaints: string[];
}

/** As the caller would say it. */
const NAMES: Readonly<Record<Neighbour, RegExp>> = {
  postgres: /postgres|database/i,
  mlflow: /mlflow/i,
  redis: /redis|working memory/i,
  supabase: /supabase|episodic memory|procedural memory/i,
  router: /envoy|router/i,
};

const SLA_MS = 30_000;
const LEASE_SECONDS = 4;
const RECOVERY_MS = 90_000;

/** One action with one fault between the agent and one neighbour; then the fault is mended and all has to come right. */
export async function runCase(one: NeighbourCase, services: TestServices): Promise<CaseResult> {
  const scratch = await openScratchDeployer(services, { settings: { lease_seconds: LEASE_SECONDS } });
  try {
    const { neighbourhood, prepared } = await prepareCase(one, scratch, services);
    try {
      return await faultAndMend(one, scratch.given, neighbourhood, prepared);
    } finally {
      await neighbourhood.close();
    }
  } finally {
    await scratch.close();
  }
}

async function prepareCase(
  { neighbour, action }: NeighbourCase,
  scratch: ScratchDeployer,
  services: TestServices,
) {
  const { given } = scratch;
  if (neighbour !== "mlflow") {
    const prepared = await prepare(action, given, runsInMemory);
    return { prepared, neighbourhood: await openNeighbourhood[neighbour](given, services) };
  }
  const neighbourhood = await openNeighbourhood.mlflow(given, services);
  const over = { ...given, ...processWith(given, neighbourhood.direct) };
  return { neighbourhood, prepared: await prepare(action, over, await runsInMlflow(services.mlflow)) };
}

async function faultAndMend(
  one: NeighbourCase,
  given: GivenDeployer,
  neighbourhood: Neighbourhood,
  { request }: Prepared,
): Promise<CaseResult> {
  const { proxy, direct, exposed, observed } = neighbourhood;
  const settings = { lease_seconds: LEASE_SECONDS };
  const process = processWith(given, exposed, settings);
  const routes = () => routesOf(given, direct);
  const before = await routes();
  await proxy.set(one.fault, one.options);
  const outcome = await outcomeOf(process, request);
  const bitten = proxy.hasBitten;
  const complaints = judge(one, outcome, bitten);
  if (
    one.neighbour === "mlflow" &&
    "error" in outcome &&
    JSON.stringify(await routes()) !== JSON.stringify(before)
  ) {
    complaints.push("traffic moved though MLflow was out and the action failed");
  }
  await proxy.mend();
  const calm = processWith(anotherProcess(given), { ...direct }, settings);
  complaints.push(...(await recover(given, process, calm, request, outcome)));
  const all = { ...given, ...direct };
  const looked = { sql: given.world.sql, router: all.router, server: given.server, registry: given.registry };
  const episodes = () => given.episodicMemory.episodes.map((episode) => episode.dedupe_key);
  complaints.push(...(await violationsOf({ ...looked, episodes, ...observed })));
  const { seconds, told } = outcome;
  return { answered: seconds * 1000 < SLA_MS, bitten, seconds, told, complaints };
}

type Outcome = { seconds: number; told: string } & ({ answer: ModelDeployerAnswer } | { error: AgentError });

async function outcomeOf(process: DeployerProcess, request: Prepared["request"]): Promise<Outcome> {
  const began = performance.now();
  const took = () => (performance.now() - began) / 1000;
  try {
    const answer = await process.agent.execute(request);
    return { answer, seconds: took(), told: [answer.status, ...answer.degraded].join("; ") };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { error, seconds: took(), told: `${error.code}: ${error.message}` };
  }
}

/** Faults of the caller's answer while the neighbour's fault lasted. */
function judge({ neighbour, fault, options }: NeighbourCase, outcome: Outcome, bitten: boolean): string[] {
  const names = NAMES[neighbour];
  if ("answer" in outcome) {
    const { status, degraded } = outcome.answer;
    // A single fault is mended by the same request again.
    const isOut = bitten && fault !== "delay" && options.times === undefined;
    const mustTell = isOut && status === "completed" && SIDE.includes(neighbour);
    if (!mustTell || degraded.some((sentence) => names.test(sentence))) return [];
    return [`${neighbour} was out, and the answer names ${degraded.join("; ") || "nothing"}`];
  }
  const { code, message, retryable } = outcome.error;
  const complaints: string[] = [];
  if (!retryable) complaints.push(`the error cannot be retried: ${code}: ${message}`);
  if (!names.test(message)) complaints.push(`the error names no ${neighbour}: ${code}: ${message}`);
  return complaints;
}

/** Those without which an action is still done. */
const SIDE: readonly Neighbour[] = ["mlflow", "redis", "supabase"];

/** The same request is carried to its end, by whoever is asked, and nothing is left over. */
async function recover(
  given: GivenDeployer,
  process: DeployerProcess,
  calm: DeployerProcess,
  request: Prepared["request"],
  first: Outcome,
): Promise<string[]> {
  try {
    const answer = await pollUntil(() => completed(process, request), {
      deadlineMs: RECOVERY_MS,
      what: "completed answer after the fault was mended",
      intervalMs: 100,
    });
    const again = await calm.agent.execute(request);
    const complaints = await untilNothingIsLeft(given, process);
    if (identityOf(again) !== identityOf(answer))
      complaints.push("another process answers the request otherwise");
    const told = "answer" in first && first.answer.status === "completed" ? identityOf(first.answer) : null;
    if (told !== null && told !== identityOf(answer))
      complaints.push("the same request was answered twice, unlike");
    return complaints;
  } catch (error) {
    if (!(error instanceof PollTimeoutError)) throw error;
    const last = error.cause instanceof Error ? error.cause.message : "it is still in progress";
    return [`${error.message}: ${last}`];
  }
}

async function completed(
  process: DeployerProcess,
  request: Prepared["request"],
): Promise<ModelDeployerAnswer | null> {
  const answer = await process.agent.execute(request);
  return answer.status === "completed" ? answer : null;
}

const DUE = "update ml_outbox set next_attempt_at = clock_timestamp() where delivered_at is null";
const LEFT = `select (select count(*) from ml_outbox where delivered_at is null)
  + (select count(*) from ml_operations where status in ('planned', 'carrying_out')) as count`;

async function untilNothingIsLeft({ world }: GivenDeployer, { worker }: DeployerProcess): Promise<string[]> {
  let problems: string[] = [];
  await pollUntil(
    async () => {
      await world.sql(DUE);
      problems = (await worker.tick()).problems;
      return Number((await world.sql(LEFT))[0]?.["count"]) === 0;
    },
    { deadlineMs: RECOVERY_MS, what: "end of what was left to do", intervalMs: 100 },
  );
  return problems;
}

/** The subject of an answer; the rest of it tells its progress. */
function identityOf(answer: ModelDeployerAnswer): string {
  const { operation_id, deployment_manifest, version_record, active_deployment_id } = answer;
  const { deployment_id = null, endpoint_url = null } = deployment_manifest ?? {};
  const { model_version_id = null } = version_record ?? {};
  return JSON.stringify({
    operation_id,
    deployment_id,
    endpoint_url,
    model_version_id,
    active_deployment_id,
  });
}

async function routesOf(
  given: GivenDeployer,
  { router = given.router }: Partial<Parts>,
): Promise<(Route | null)[]> {
  const endpoints = await given.db.endpoints.list();
  const signal = AbortSignal.timeout(10_000);
  return Promise.all(endpoints.map(({ endpoint_name }) => router.observe(endpoint_name, { signal })));
}
