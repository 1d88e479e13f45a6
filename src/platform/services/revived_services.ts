import { access } from "node:fs/promises";
import { resolve } from "node:path";
import { findProcess } from "../processes/managed_process.ts";
import { type LocalService, serviceRunDirectory, stoppedMark } from "./local_service.ts";
import { type LocalServicesOptions, startLocalServices } from "./local_services.ts";

/**
 * Starts those of the needed services again that have ended by themselves, such as by a lack of memory, or that could not be
 * started when they were first wanted. What a command has stopped stays stopped.
 *
 * @returns a sentence for each that was started
 * @throws as `startLocalServices`
 */
export async function reviveServices(options: LocalServicesOptions): Promise<string[]> {
  const runDirectory = serviceRunDirectory(resolve(options.homeDirectory));
  const names = (["postgres", "redis", "mlflow"] as const).filter((name) => options.need[name]);
  const sentences: string[] = [];
  for (const name of names) {
    if (!(await hasEnded(runDirectory, name))) continue;
    const need = { postgres: false, redis: false, mlflow: false, [name]: true };
    const told: string[] = [];
    await startLocalServices({ ...options, need, onProgress: (line) => told.push(line) });
    sentences.push(`${name} of this home did not run and was started again: ${told.join("; ")}`);
  }
  return sentences;
}

async function hasEnded(runDirectory: string, name: LocalService["name"]): Promise<boolean> {
  if ((await findProcess(runDirectory, name)) !== null) return false;
  return access(stoppedMark(runDirectory, name)).then(
    () => false,
    () => true,
  );
}
