import { z } from "zod";
import type { Parts } from "../../../src/agents/model_deployer/parts.ts";
import { ENDPOINT, type GivenDeployer, SESSION } from "../../support/deployer.ts";
import { type Fault, faults } from "../fault_proxy.ts";
import type { FaultRow, RowOptions, RowResult } from "../fault_row.ts";
import { violationsOf } from "../invariants.ts";
import { ListeningModelServer } from "../neighbours/listening_server.ts";
import { type Neighbourhood, openNeighbourhood } from "../neighbours/neighbourhood.ts";
import { prepare, runsInMemory } from "../neighbours/prepared_actions.ts";
import { processWith } from "../neighbours/process_with.ts";
import { openScratchDeployer } from "../scratch.ts";

const SLA_SECONDS = 30;
const OUT = ["mlflow", "redis", "supabase"] as const;
const NAMES = [/registry projection|mlflow/i, /working memory/i, /episodic memory/i];

/** Only Postgres, the router and a warm server answer; everything else takes what it is sent and never says a word. */
export const rollbackAlone: FaultRow = {
  name: "rollback-alone",
  fault:
    "MLflow, Redis and Supabase are all out at once: a rollback moves the real traffic back in time and names the three",
  run: async (options) => {
    const chosen: readonly Fault[] = options.extent === "whole" ? faults : ["black_hole"];
    const results: { seconds: number; found: string[] }[] = [];
    for (const fault of chosen) results.push(await runCase(fault, options));
    const slowest = Math.max(...results.map(({ seconds }) => seconds));
    return {
      cases: results.length,
      converged: results.filter(({ found }) => found.length === 0).length,
      lost: results.filter(({ seconds }) => seconds > SLA_SECONDS).length,
      violations: results.flatMap(({ found }) => found),
      notes: [`the slowest rollback was answered after ${slowest.toFixed(1)} s of ${SLA_SECONDS} s`],
    } satisfies RowResult;
  },
};

async function runCase(fault: Fault, options: RowOptions): Promise<{ seconds: number; found: string[] }> {
  const scratch = await openScratchDeployer(options.services);
  const { given } = scratch;
  const opened: Neighbourhood[] = [];
  const server = new ListeningModelServer(given.server);
  try {
    const { request } = await prepare(
      "rollback",
      { ...given, ...processWith(given, { server }) },
      runsInMemory,
    );
    const router = await openNeighbourhood.router(given, options.services);
    opened.push(router);
    const own: Partial<Parts> = { server, ...router.direct };
    for (const neighbour of OUT) opened.push(await openNeighbourhood[neighbour](given, options.services));
    const out = opened.filter((one) => one !== router);
    for (const { proxy } of out) await proxy.set(fault, { delayMs: 5_000 });
    const exposed = out.reduce<Partial<Parts>>((parts, one) => ({ ...parts, ...one.exposed }), own);
    const began = performance.now();
    const answer = await processWith(given, exposed).agent.execute({ ...request, session_id: SESSION });
    const seconds = (performance.now() - began) / 1000;
    const told = answer.degraded.join("; ");
    const found = NAMES.filter((name) => !name.test(told)).map(
      (name) => `${String(name)} is not named: ${told}`,
    );
    if (answer.rollback_successful !== true) found.push("the rollback does not say that it succeeded");
    found.push(...(await wrongTraffic(given, answer.active_deployment_id)));
    // They never mend here: what is theirs is caught up through the parts in memory.
    await given.world.sql(
      "update ml_outbox set next_attempt_at = clock_timestamp() where delivered_at is null",
    );
    await processWith(given, own).worker.tick();
    const observed = {
      sql: given.world.sql,
      router: given.router,
      server,
      registry: given.registry,
      ...router.observed,
    };
    found.push(...(await violationsOf(observed)));
    return { seconds, found: found.map((one) => `${fault}: ${one}`) };
  } finally {
    for (const one of opened) await one.close();
    server.close();
    await scratch.close();
  }
}

/** Every request that comes now is answered by the deployment that was brought back. */
async function wrongTraffic({ db }: GivenDeployer, deploymentId: string | null): Promise<string[]> {
  const endpoint = await db.endpoints.get(ENDPOINT);
  const answers = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const answer = await fetch(`${z.string().parse(endpoint?.endpoint_url)}/predict`, {
        method: "POST",
        body: "{}",
      });
      return answer.text();
    }),
  );
  const wrong = answers.filter((text) => text !== deploymentId);
  return wrong.length === 0 ? [] : [`${wrong.length} of 20 requests were answered by ${wrong[0]}`];
}
