import type { ReplicaUsage } from "../../../agents/model_deployer/ports/model_server_port.ts";
import { isPresent, replicaNumber } from "../../replicas/server_names.ts";
import type { ServedProcesses } from "./served_process.ts";
import type { ServerRecords } from "./server_record.ts";

/** One entry for each of the deployment's servers that runs. */
export async function usageOf(
  deploymentId: string,
  records: ServerRecords,
  processes: ServedProcesses,
): Promise<ReplicaUsage[]> {
  const used = (await presentNames(deploymentId, records)).map(async (name) => {
    const record = await records.read(name);
    const usage = record === null ? null : await processes.usage(record.process);
    return usage === null ? [] : [{ replica: replicaNumber(name), ...usage }];
  });
  return (await Promise.all(used)).flat();
}

/** The file that a server logs its predictions in, and from when on they are the deployment's. */
export interface PredictionLogFile {
  path: string;
  /** ISO 8601; null for one that was started for it. */
  since: string | null;
}

/** Of each of its servers; of the first where none was started. */
export async function predictionLogFilesOf(
  deploymentId: string,
  records: ServerRecords,
  processes: ServedProcesses,
): Promise<PredictionLogFile[]> {
  const names = await presentNames(deploymentId, records);
  return Promise.all(
    (names.length === 0 ? [deploymentId] : names).map(async (name) => {
      const record = await records.read(name);
      const path = processes.predictionLogPath(record?.process ?? name);
      return { path, since: record?.handed_over_at ?? null };
    }),
  );
}

/** The first server first. */
async function presentNames(deploymentId: string, records: ServerRecords): Promise<string[]> {
  const names = (await records.namesOf(deploymentId)).filter(isPresent);
  return names.sort((a, b) => replicaNumber(a) - replicaNumber(b));
}
