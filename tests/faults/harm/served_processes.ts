import { type MarkedProcess, processesMarked } from "../processes/marked_processes.ts";

/** One start of a server: all of its processes. */
export interface Instance {
  instance: string;
  deployment: string;
  port: number;
  pids: number[];
}

const PORT = /--port[= ](\d+)/;

/** Every start of a model server that lives in the home. */
export async function instancesIn(home: string): Promise<Instance[]> {
  const found = new Map<string, Instance>();
  for (const one of await processesMarked(home)) {
    const deployment = one.environment["MODEL_DEPLOYER_DEPLOYMENT_ID"];
    if (deployment === undefined) continue;
    const instance = one.environment["MODEL_DEPLOYER_INSTANCE"] ?? "";
    const known = found.get(instance) ?? { instance, deployment, port: 0, pids: [] };
    known.pids.push(one.pid);
    known.port ||= portOf(one);
    found.set(instance, known);
  }
  return [...found.values()].filter(({ port }) => port > 0);
}

function portOf({ command }: MarkedProcess): number {
  return Number(PORT.exec(command)?.[1] ?? 0);
}
