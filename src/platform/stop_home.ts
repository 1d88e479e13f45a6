import { glob } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { serviceRunDirectory } from "./local_service.ts";
import { stopLocalServices } from "./local_services.ts";
import { listProcesses, stopProcess } from "./managed_process.ts";

const GRACE_MS = 5000;

/** Run directories hold a record for each process: `<name>.pid`. */
async function runDirectories(home: string): Promise<string[]> {
  const found = new Set<string>();
  for await (const record of glob("{run,router/*,router/*/*}/*.pid", { cwd: home })) {
    found.add(dirname(join(home, record)));
  }
  return [...found];
}

/**
 * Ends everything that runs under a home: model servers, routers, then the embedded services. Data stays. Idempotent;
 * needs no database, so that it also cleans up after what was killed.
 */
export async function stopHome(homeDirectory: string): Promise<void> {
  const home = resolve(homeDirectory);
  const services = serviceRunDirectory(home);
  const directories = (await runDirectories(home)).filter((directory) => directory !== services);
  for (const directory of directories) {
    const running = await listProcesses(directory);
    await Promise.all(running.map((one) => stopProcess(directory, one.name, { graceMs: GRACE_MS })));
  }
  await stopLocalServices(home);
}
