import { randomUUID } from "node:crypto";
import fc from "fast-check";
import {
  deploy,
  ENDPOINT,
  type GivenDeployer,
  givenInProduction,
  givenReadyForProduction,
  promoteWithApproval,
} from "../../../support/deployer.ts";
import { pollUntil } from "../../../../src/testing/poll.ts";
import type { FaultRow, RowOptions, RowResult } from "../../harness/fault_row.ts";
import { StartedProcess } from "../../processes/started_process.ts";
import { openScratchDeployer } from "../../harness/scratch.ts";
import { sideBySide } from "../../harness/side_by_side.ts";

const LANES = 3;
const COMPLETED_MS = 60_000;
const STEPS = [10, 50, 100].map((weight) => ({ weight, bake_seconds: 0 }));

/** A worker is told to end at each of its calls in turn, while it moves a rollout on. */
export const terminatedWorker: FaultRow = {
  name: "terminated-worker",
  fault:
    "SIGTERM reaches a worker at each of its calls of a rollout's step: it ends the step, gives the lease back and exits, and the next one goes on",
  run: runRow,
};

async function runRow(options: RowOptions): Promise<RowResult> {
  const points = await callsOfAStep(options);
  const chosen = chosenOf(points, options);
  const results = await sideBySide(LANES, chosen, (call) => runCase(call, options));
  return {
    cases: chosen.length,
    converged: results.filter((found) => found.length === 0).length,
    lost: 0,
    violations: results.flat(),
    notes: [`the rollout's first step makes ${points.length} calls: ${points.join(", ")}`],
  };
}

/** A selection has one call of the look and one of the step, which alone is done under a lease. */
function chosenOf(points: readonly string[], { extent, seed }: RowOptions): number[] {
  const all = points.map((_, call) => call);
  if (extent === "whole") return all;
  const begin = points.indexOf("journal.begin");
  return [all.slice(0, begin), all.slice(begin)].flatMap((calls) =>
    fc.sample(fc.constantFrom(...calls), { seed, numRuns: 1 }),
  );
}

/** A version that has begun to take the place of another; requests come whenever somebody looks. */
async function givenRollout(given: GivenDeployer): Promise<string> {
  await givenInProduction(given, "run1");
  const version = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const manifest = await deploy(given, version, "production", { rollout: { steps: STEPS } });
  await given.world.sql("update ml_rollouts set next_tick_at = clock_timestamp()");
  await given.worker.tick();
  return manifest.deployment_id;
}

function startWorker(given: GivenDeployer): StartedProcess {
  const onCall = (point: string) => {
    if (point === "router.figures") given.router.sendTraffic(ENDPOINT, 1000);
  };
  return new StartedProcess(given, { holder: `worker-${randomUUID()}`, request: null, onCall });
}

/** Until the router has taken the step's weight and the step is written down. */
async function callsOfAStep({ services }: RowOptions): Promise<string[]> {
  const scratch = await openScratchDeployer(services);
  try {
    await givenRollout(scratch.given);
    const worker = startWorker(scratch.given);
    try {
      return await pollUntil(() => upToFinish(worker.points), {
        deadlineMs: COMPLETED_MS,
        what: "step of the rollout",
      });
    } finally {
      await worker.end();
    }
  } finally {
    await scratch.close();
  }
}

function upToFinish(points: readonly string[]): string[] | null {
  const end = points.indexOf("journal.finish");
  return end < 0 ? null : points.slice(0, end + 1);
}

async function runCase(call: number, { services }: RowOptions): Promise<string[]> {
  const scratch = await openScratchDeployer(services);
  const { given } = scratch;
  try {
    const candidate = await givenRollout(given);
    const worker = startWorker(given);
    const point = await worker.holdAt(call);
    worker.terminate();
    worker.letOn();
    const code = await worker.exited();
    const found = code === 0 ? [] : [`it ended with ${code ?? "a signal"}`];
    found.push(...(await leftBehind(given)));
    found.push(...(await goOn(given, candidate)));
    found.push(...(await scratch.violations()));
    return found.map((one) => `SIGTERM before ${point} (call ${call}): ${one}`);
  } finally {
    await scratch.close();
  }
}

/** Nothing that the next process would have to wait for. */
async function leftBehind({ world }: GivenDeployer): Promise<string[]> {
  const leases = await world.sql("select name from ml_leases where not released");
  const open = await world.sql(
    "select operation_id from ml_operations where status in ('planned', 'carrying_out')",
  );
  const claims = await world.sql(
    "select rollout_id from ml_rollouts where status = 'running' and claimed_until > clock_timestamp()",
  );
  return [
    ...claims.map((row) => `it did not give back the claim on ${String(row["rollout_id"])}`),
    ...leases.map((row) => `it did not give back the lease of ${String(row["name"])}`),
    ...open.map((row) => `it left ${String(row["operation_id"])} in the middle`),
  ];
}

async function goOn(given: GivenDeployer, candidate: string): Promise<string[]> {
  const next = startWorker(given);
  try {
    await pollUntil(
      async () => {
        await given.world.sql(
          "update ml_rollouts set next_tick_at = clock_timestamp() where status = 'running'",
        );
        const [rollout] = await given.world.sql(
          "select status from ml_rollouts order by created_at desc limit 1",
        );
        return rollout?.["status"] === "completed";
      },
      { deadlineMs: COMPLETED_MS, what: "end of the rollout by the next process", intervalMs: 100 },
    );
  } finally {
    next.terminate();
    await next.exited();
  }
  const weights = (await given.db.endpoints.get(ENDPOINT))?.weights ?? {};
  await given.worker.tick();
  return weights[candidate] === 100 ? [] : [`the next one left weights ${JSON.stringify(weights)}`];
}
