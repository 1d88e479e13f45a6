import { cpuSecondsOf } from "../../src/platform/processes/memory_room.ts";
import { type MarkedProcess, processesMarked } from "../../tests/faults/processes/marked_processes.ts";

const KINDS: [string, RegExp][] = [
  ["routers", /envoy/],
  ["Postgres", /postgres/],
  ["Redis", /redis/],
  ["MLflow", /mlflow/],
];

/** CPU seconds that the home's living processes, and those that they have waited for, have used so far, by kind. */
export async function cpuOfHome(home: string): Promise<Map<string, number>> {
  const used = new Map<string, number>();
  for (const found of await processesMarked(home)) {
    const kind = kindOf(found);
    used.set(kind, (used.get(kind) ?? 0) + (await cpuSecondsOf(found.pid)));
  }
  return used;
}

function kindOf({ command, environment }: MarkedProcess): string {
  if (environment["MODEL_DEPLOYER_DEPLOYMENT_ID"] !== undefined) return "servers";
  return KINDS.find(([, words]) => words.test(command.split(" ").slice(0, 3).join(" ")))?.[0] ?? "worker";
}
