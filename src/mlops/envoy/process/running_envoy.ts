import { findProcess, readLogTail } from "../../../platform/processes/managed_process.ts";
import type { EndpointFolder } from "../endpoint_folder.ts";

export const processName = "envoy";

export async function isRunning(folder: EndpointFolder): Promise<boolean> {
  return (await findProcess(folder.run, processName)) !== null;
}

/** The last line of Envoy's log, which names the reason of a refusal. */
export async function lastComplaint(folder: EndpointFolder): Promise<string> {
  const line = await readLogTail(folder.run, processName, 1);
  return line.replace(/^(\[[^\]]*\]\s*)+/, "");
}
