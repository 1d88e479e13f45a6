import { glob } from "node:fs/promises";
import { dirname, join, relative, resolve, sep } from "node:path";
import { serviceRunDirectory } from "../../services/local_service.ts";
import { stopLocalServices } from "../../services/local_services.ts";
import { listProcesses, stopProcess } from "../managed_process.ts";
import { endAttendants } from "./attendants.ts";

const GRACE_MS = 5000;

/** Something that runs under a home and outlives whoever started it. */
export interface RunningPart {
  kind: "service" | "router" | "server";
  /** `postgres`, an endpoint's name, or the name that a server was started under. */
  name: string;
  process: number;
}

/** Run directories hold a record for each process: `<name>.pid`. */
async function runDirectories(home: string): Promise<string[]> {
  const found = new Set<string>();
  for await (const record of glob("{run,rehearsal,services,router/*,router/*/*}/*.pid", { cwd: home })) {
    found.add(dirname(join(home, record)));
  }
  return [...found].sort();
}

/** All that runs under a home at this moment; starts and stops nothing, and needs no database. */
export async function runningParts(homeDirectory: string): Promise<RunningPart[]> {
  const home = resolve(homeDirectory);
  const parts = (await runDirectories(home)).map(async (directory) => {
    const [top = "", endpoint = ""] = relative(home, directory).split(sep);
    const running = await listProcesses(directory);
    return running.map(({ name, pid }): RunningPart => {
      if (top === "router") return { kind: "router", name: endpoint, process: pid };
      if (top === "services") return { kind: "service", name, process: pid };
      return { kind: "server", name: name.replace(/^bento-/, ""), process: pid };
    });
  });
  return (await Promise.all(parts)).flat();
}

/**
 * Ends everything that runs under a home: commands that serve it, model servers, routers, then the embedded services. Data
 * stays. Idempotent; needs no database, so that it also cleans up after what was killed.
 */
export async function stopHome(homeDirectory: string): Promise<void> {
  const home = resolve(homeDirectory);
  // First: a worker starts servers again that do not run.
  await endAttendants(home, ["home"]);
  const services = serviceRunDirectory(home);
  const directories = (await runDirectories(home)).filter((directory) => directory !== services);
  for (const directory of directories) {
    const running = await listProcesses(directory);
    await Promise.all(running.map((one) => stopProcess(directory, one.name, { graceMs: GRACE_MS })));
  }
  await stopLocalServices(home);
}
