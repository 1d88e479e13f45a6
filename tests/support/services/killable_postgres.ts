import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serviceRunDirectory } from "../../../src/platform/services/local_service.ts";
import { startLocalServices } from "../../../src/platform/services/local_services.ts";
import { findProcess } from "../../../src/platform/processes/managed_process.ts";
import { stopHome } from "../../../src/platform/processes/homes/stop_home.ts";
import { UnexpectedOutcomeError } from "../../../src/testing/index.ts";
import { pollUntil } from "../../../src/testing/poll.ts";

export interface KillablePostgres {
  url: string;
  start(): Promise<void>;
  /** SIGKILL to the server by its pid; resolves when it is gone. */
  kill(): Promise<void>;
  /** Ends it if need be and removes its files. */
  remove(): Promise<void>;
}

/** An embedded Postgres of the test's own. It is made but does not run. */
export async function createKillablePostgres(): Promise<KillablePostgres> {
  const home = await mkdtemp(join(tmpdir(), "model-deployer-killable-"));
  const find = () => findProcess(serviceRunDirectory(home), "postgres");
  const kill = async () => {
    const running = await find();
    if (running === null) return;
    process.kill(running.pid, "SIGKILL");
    const what = `end of process ${running.pid}`;
    await pollUntil(async () => (await find()) === null, { deadlineMs: 120_000, what });
  };
  const url = await bringUp(home);
  await kill();
  return {
    url,
    kill,
    async start() {
      // Remains of a killed server may hold its memory for a while; until then the next one ends at once.
      const again = await pollUntil(() => bringUp(home), {
        deadlineMs: 120_000,
        what: "Postgres that stays",
      });
      if (again !== url)
        throw new UnexpectedOutcomeError("somebody has taken the port of the killed Postgres");
    },
    remove: async () => {
      await stopHome(home);
      await rm(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
    },
  };
}

async function bringUp(homeDirectory: string): Promise<string> {
  const need = { postgres: true, redis: false, mlflow: false };
  const { databaseOwnerUrl } = await startLocalServices({
    homeDirectory,
    cacheDirectory: homeDirectory,
    need,
  });
  return databaseOwnerUrl ?? "";
}
