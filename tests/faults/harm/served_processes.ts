import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { deploymentOf } from "../../../src/mlops/replicas/server_names.ts";
import { processesMarked } from "../processes/marked_processes.ts";

/** One start of a server: all of its processes. */
export interface Instance {
  instance: string;
  deployment: string;
  port: number;
  pids: number[];
}

const recordSchema = z.object({ deployment_id: z.string(), process: z.string(), port: z.int() });
type Owner = Pick<Instance, "deployment" | "port">;

/** Every start of a model server that lives in the home and is recorded there. */
export async function instancesIn(home: string): Promise<Instance[]> {
  const found = new Map<string, Instance>();
  const [owners, marked] = await Promise.all([ownersIn(home), processesMarked(home)]);
  for (const { pid, environment } of marked) {
    const owner = owners.get(environment["MODEL_DEPLOYER_DEPLOYMENT_ID"] ?? "");
    if (owner === undefined) continue;
    const instance = environment["MODEL_DEPLOYER_INSTANCE"] ?? "";
    const known = found.get(instance) ?? { instance, ...owner, pids: [] };
    known.pids.push(pid);
    found.set(instance, known);
  }
  return [...found.values()];
}

/** Whose server each process is: one that was handed over, or took another's place, bears a name that tells it no more. */
async function ownersIn(home: string): Promise<Map<string, Owner>> {
  const folder = join(home, "run", "servers");
  const names = await readdir(folder).catch(() => []);
  const texts = names
    .filter((name) => /^[^.].*\.json$/.test(name))
    // Gone between the two, for its server has ended.
    .map((name) => readFile(join(folder, name), "utf8").catch(() => null));
  const records = (await Promise.all(texts)).filter((text) => text !== null);
  return new Map(
    records.map((text) => {
      const { process, deployment_id, port } = recordSchema.parse(JSON.parse(text));
      return [process, { deployment: deploymentOf(deployment_id), port }];
    }),
  );
}
