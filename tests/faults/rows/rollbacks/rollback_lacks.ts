import { z } from "zod";
import { AgentError } from "../../../../src/agents/base/agent_error.ts";
import { ENDPOINT, type GivenDeployer } from "../../../support/deployer.ts";
import type { Fault, FaultOptions } from "../../harness/fault_proxy.ts";
import type { FaultRow, RowOptions, RowResult } from "../../harness/fault_row.ts";
import { type Counted, CountedLoad } from "../../harm/counted_load.ts";
import { type Lacking, lackingRollback, type PreparedRollback } from "../../neighbours/lacking_rollback.ts";

interface Lack {
  name: string;
  of: Lacking;
  /** Nothing can be decided without: the caller is told what to do, and does it. */
  isTold?: boolean;
}

const LATE: [Fault, FaultOptions] = ["delay", { delayMs: 100 }];
const SILENT: [Fault, FaultOptions] = ["black_hole", {}];
const OUT = { mlflow: SILENT, redis: SILENT, supabase: SILENT };

const LACKS: Record<RowOptions["extent"], Lack[]> = {
  selection: [
    { name: "Postgres late by 100 ms, all else silent", of: { postgres: LATE, ...OUT } },
    { name: "Postgres silent", of: { postgres: SILENT }, isTold: true },
  ],
  whole: [
    { name: "nothing", of: {} },
    { name: "MLflow silent", of: { mlflow: SILENT } },
    { name: "Redis silent", of: { redis: SILENT } },
    { name: "the memories silent", of: { supabase: SILENT } },
    { name: "MLflow refused", of: { mlflow: ["refuse", {}] } },
    { name: "Postgres late by 100 ms", of: { postgres: LATE } },
    { name: "Postgres late by 100 ms, all else silent", of: { postgres: LATE, ...OUT } },
    { name: "Postgres silent", of: { postgres: SILENT }, isTold: true },
    {
      name: "Postgres silent from its eighth answer on",
      of: { postgres: ["black_hole", { afterReplies: 8 }] },
      isTold: true,
    },
  ],
};

interface Outcome {
  name: string;
  seconds: number;
  counted: Counted;
  found: string[];
}

/** No worker runs, the real Envoy sends, and callers count every answer. */
export const rollbackLacks: FaultRow = {
  name: "rollback-lacks",
  fault:
    "a rollback under load lacks one neighbour, or all at once: it is done, or says what to do and is done then; no answer is lost",
  run: async (options) => {
    const outcomes: Outcome[] = [];
    for (const lack of LACKS[options.extent]) {
      const outcome = await runLack(lack, options);
      options.onProgress(`${lack.name}: answered after ${outcome.seconds.toFixed(2)} s`);
      outcomes.push(outcome);
    }
    return resultOf(outcomes);
  },
};

function resultOf(outcomes: readonly Outcome[]): RowResult {
  const sum = (of: "sent" | "answered" | "lost") =>
    outcomes.reduce((total, { counted }) => total + counted[of], 0);
  return {
    cases: outcomes.length,
    converged: outcomes.filter(({ found }) => found.length === 0).length,
    lost: sum("lost"),
    violations: outcomes.flatMap(({ name, found }) => found.map((one) => `${name}: ${one}`)),
    notes: [
      `${sum("sent")} sent, ${sum("answered")} answered, ${sum("lost")} lost by us`,
      ...outcomes.map(({ name, seconds }) => `${name}: answered after ${seconds.toFixed(2)} s`),
    ],
  };
}

async function runLack(lack: Lack, options: RowOptions): Promise<Outcome> {
  const { came, violations } = await lackingRollback(options, lack.of, async (prepared) => {
    const load = await startLoad(prepared.given);
    const { seconds, found } = await rolledBack(lack, prepared);
    const counted = await load.end();
    return { seconds, counted, found: [...found, ...counted.wrong] };
  });
  return { name: lack.name, ...came, found: [...came.found, ...violations] };
}

async function startLoad({ db }: GivenDeployer): Promise<CountedLoad> {
  const endpoint = await db.endpoints.get(ENDPOINT);
  const load = new CountedLoad({ url: z.string().parse(endpoint?.endpoint_url), lanes: 4, pauseMs: 20 });
  load.start();
  return load;
}

const told = (outcome: object) => (outcome instanceof AgentError ? String(outcome) : JSON.stringify(outcome));

async function rolledBack(
  { isTold = false }: Lack,
  { ask, mend }: PreparedRollback,
): Promise<{ seconds: number; found: string[] }> {
  const found: string[] = [];
  const began = performance.now();
  const first = await ask().catch((error: unknown) => {
    if (error instanceof AgentError) return error;
    throw error;
  });
  const seconds = (performance.now() - began) / 1000;
  if (isTold && !(first instanceof AgentError && first.retryable && /postgres/i.test(first.message))) {
    found.push(`whoever asks is told what to do, but got ${told(first)}`);
  }
  if (!isTold && first instanceof AgentError) found.push(`it is done, but ended with ${told(first)}`);
  if (isTold) await mend();
  const answer = isTold ? await ask() : first;
  const isDone = !(answer instanceof AgentError) && answer.rollback_successful === true;
  if (!isDone) found.push(`the rollback does not say that it succeeded: ${told(answer)}`);
  return { seconds, found };
}
