import { randomUUID } from "node:crypto";
import fc from "fast-check";
import {
  anotherProcess,
  type GivenDeployer,
  givenReadyForProduction,
  promoteWithApproval,
} from "../../../support/deployer.ts";
import { pollUntil } from "../../../../src/testing/poll.ts";
import type { FaultRow, RowOptions, RowResult } from "../../harness/fault_row.ts";
import { openNeighbourhood } from "../../neighbours/neighbourhood.ts";
import { type Action, actions, prepare, runsInMemory } from "../../neighbours/prepared_actions.ts";
import { processWith } from "../../neighbours/process_with.ts";
import { differencesOf, snapshotOf } from "../../processes/snapshot.ts";
import { type Said, StartedProcess } from "../../processes/started_process.ts";
import { openScratchDeployer } from "../../harness/scratch.ts";
import { sideBySide } from "../../harness/side_by_side.ts";
import { violationsOf } from "../../invariants/invariants.ts";

const LEASE_SECONDS = 2;
const LANES = 3;
const SETTLED_MS = 60_000;
const CASES_IN_SELECTION = 2;
const SERVERS = "servers";

/** `overtaken` is a deployment whose endpoint a rollback takes meanwhile, and which nobody else carries on. */
type Stopped = Action | "overtaken";

interface StoppedCase {
  action: Stopped;
  /** Which call to the outside or write to the journal it was about to make. */
  call: number;
}

/** A real process is stopped with SIGSTOP right before a call, another does its work after its lease, and it is woken. */
export const stoppedProcess: FaultRow = {
  name: "stopped-process",
  fault:
    "a process is stopped past its lease, at each of its calls in turn, and woken when another has done its work: it changes nothing",
  run: runRow,
};

async function runRow(options: RowOptions): Promise<RowResult> {
  const reaching: readonly Stopped[] = options.extent === "whole" ? [...actions, "overtaken"] : ["overtaken"];
  const counted = await sideBySide(LANES, reaching, (action) => callsOf(action, options));
  const cases = reaching.flatMap((action, index) => casesOf(action, counted[index] ?? []));
  const some = { seed: options.seed, numRuns: CASES_IN_SELECTION };
  const chosen = options.extent === "whole" ? cases : fc.sample(fc.constantFrom(...cases), some);
  const results = await sideBySide(LANES, chosen, (one) => runCase(one, options));
  const violations = results.flat();
  return {
    cases: chosen.length,
    converged: results.filter((found) => found.length === 0).length,
    lost: 0,
    violations,
    notes: reaching.map(
      (action, index) => `${action} makes ${counted[index]?.length} calls: ${counted[index]?.join(", ")}`,
    ),
  };
}

/** Until it has begun, what is overtaken holds no lease: it may go on as somebody who came later. */
function casesOf(action: Stopped, points: readonly string[]): StoppedCase[] {
  const first = action === "overtaken" ? points.indexOf("journal.begin") + 1 : 0;
  return points.slice(first).map((_, index) => ({ action, call: first + index }));
}

/** The calls that the action makes when nobody disturbs it. */
async function callsOf(action: Stopped, { services }: RowOptions): Promise<string[]> {
  const scratch = await openScratchDeployer(services);
  try {
    const { request } = await givenStopped(action, scratch.given);
    const process = new StartedProcess(scratch.given, { holder: "counted", request });
    await process.said();
    await process.exited();
    // The report after the action needs no lease.
    return process.points.slice(0, process.points.indexOf("journal.finish") + 1);
  } finally {
    await scratch.close();
  }
}

async function runCase({ action, call }: StoppedCase, { services }: RowOptions): Promise<string[]> {
  const scratch = await openScratchDeployer(services, { settings: { lease_seconds: LEASE_SECONDS } });
  const { given } = scratch;
  try {
    const { request, meanwhile } = await givenStopped(action, given);
    const idle = await serversOf(given);
    const needsRouter = action === "deploy" || action === "rollback";
    const router = needsRouter ? await openNeighbourhood.router(given, services) : null;
    const process = new StartedProcess(given, {
      holder: `stopped-${randomUUID()}`,
      request,
      envoy: router?.envoy ?? null,
    });
    try {
      const point = await process.holdAt(call);
      process.stop();
      const other = processWith(anotherProcess(given), router?.direct ?? {});
      const answer = await pollUntil(() => completed(other, meanwhile), {
        deadlineMs: SETTLED_MS,
        what: "end of the action by another process",
        intervalMs: 100,
      });
      // An overtaken operation stays as it is until the process has woken: a worker would undo it.
      if (meanwhile === request) await other.worker.tick();
      const observed = { ...given, sql: given.world.sql, ...router?.observed };
      const before = await portraitOf(given, observed.router);
      process.wake();
      process.letOn();
      const said = await process.said();
      await process.exited();
      const after = await portraitOf(given, observed.router);
      await untilUndone(given, other);
      if (meanwhile !== request) {
        // Its own server, which the very call may start that it was stopped before, ends with its operation.
        before.set(SERVERS, idle);
        after.set(SERVERS, await serversOf(given));
      }
      const found = [
        ...differencesOf(before, after),
        ...wrongWith(said, meanwhile === request ? answer.operation_id : null),
        ...(await violationsOf({ ...observed, episodes: () => keysOf(given) })),
      ];
      return found.map((one) => `${action} stopped before ${point} (call ${call}): ${one}`);
    } finally {
      await process.end();
      await router?.close();
    }
  } finally {
    await scratch.close();
  }
}

/** The process's request, and another process's while it is stopped. */
async function givenStopped(action: Stopped, given: GivenDeployer) {
  if (action !== "overtaken") {
    const { request } = await prepare(action, given, runsInMemory);
    return { request, meanwhile: request };
  }
  const rollback = await prepare("rollback", given, runsInMemory);
  const version = await givenReadyForProduction(given, "run3");
  await promoteWithApproval(given, version);
  await given.worker.tick();
  const request = {
    deployment_action: "deploy",
    request_id: `overtaken-${randomUUID()}`,
    model_version_id: version,
    target_stage: "production" as const,
    rollout: { steps: [50, 100].map((weight) => ({ weight, bake_seconds: 0 })) },
  };
  return { request, meanwhile: rollback.request };
}

/** A worker ends what was left in the middle. */
async function untilUndone(
  { world }: GivenDeployer,
  { worker }: ReturnType<typeof processWith>,
): Promise<void> {
  const left = "select operation_id from ml_operations where status in ('planned', 'carrying_out')";
  const due = "update ml_outbox set next_attempt_at = clock_timestamp() where delivered_at is null";
  await pollUntil(
    async () => {
      await world.sql(due);
      await worker.tick();
      return (await world.sql(left)).length === 0;
    },
    { deadlineMs: SETTLED_MS, what: "end of what the stopped process had begun", intervalMs: 200 },
  );
}

async function completed(
  { agent }: ReturnType<typeof processWith>,
  request: Parameters<typeof agent.execute>[0],
) {
  const answer = await agent.execute(request);
  return answer.status === "completed" ? answer : null;
}

const keysOf = ({ episodicMemory }: GivenDeployer) =>
  episodicMemory.episodes.map(({ dedupe_key: key }) => key);

/** The database and what the router and the servers do. */
async function portraitOf(
  given: GivenDeployer,
  router: Pick<GivenDeployer["router"], "observe">,
): Promise<Map<string, string>> {
  const portrait = await snapshotOf(given.world);
  for (const { endpoint_name: name } of await given.db.endpoints.list()) {
    portrait.set(
      `route of ${name}`,
      JSON.stringify(await router.observe(name, { signal: AbortSignal.timeout(10_000) })),
    );
  }
  return portrait.set(SERVERS, await serversOf(given));
}

const serversOf = async ({ server }: GivenDeployer) => (await server.list()).sort().join("\n");

/** Either it learns that the other was faster, or it reads the other's answer. */
function wrongWith(said: Said, operationId: string | null): string[] {
  if ("answer" in said) {
    const same = said.answer["operation_id"] === operationId && said.answer["status"] === "completed";
    return same ? [] : [`it answers ${JSON.stringify(said.answer)}`];
  }
  const { code, message } = said.error;
  return code === "conflict" || code === "deadline_exceeded" || code === "service_unavailable"
    ? []
    : [`it ends with ${code}: ${message}`];
}
