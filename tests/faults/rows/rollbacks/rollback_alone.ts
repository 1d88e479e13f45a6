import { z } from "zod";
import { ENDPOINT, type GivenDeployer } from "../../../support/deployer.ts";
import { type Fault, type FaultOptions, faults } from "../../harness/fault_proxy.ts";
import type { FaultRow, RowOptions, RowResult } from "../../harness/fault_row.ts";
import { lackingRollback } from "../../neighbours/lacking_rollback.ts";

const SLA_SECONDS = 30;
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
  const out: [Fault, FaultOptions] = [fault, { delayMs: 5_000 }];
  const lacks = { mlflow: out, redis: out, supabase: out };
  const { came, violations } = await lackingRollback(options, lacks, async ({ given, ask }) => {
    const began = performance.now();
    const answer = await ask();
    const seconds = (performance.now() - began) / 1000;
    const told = answer.degraded.join("; ");
    const found = NAMES.filter((name) => !name.test(told)).map(
      (name) => `${String(name)} is not named: ${told}`,
    );
    if (answer.rollback_successful !== true) found.push("the rollback does not say that it succeeded");
    found.push(...(await wrongTraffic(given, answer.active_deployment_id)));
    return { seconds, found };
  });
  const found = [...came.found, ...violations];
  return { seconds: came.seconds, found: found.map((one) => `${fault}: ${one}`) };
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
