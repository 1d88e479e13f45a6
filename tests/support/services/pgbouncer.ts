import { chown, mkdir, mkdtemp, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import pg from "pg";
import { ServiceUnavailableError } from "../../../src/agents/model_deployer/errors.ts";
import { startProcess } from "../../../src/platform/processes/managed_process.ts";
import { isOpenToAll, postgresUser, sharedCopy } from "../../../src/platform/services/postgres_user.ts";
import { throwAwayWithProcess } from "../../../src/platform/processes/homes/throwaway_home.ts";
import { findFreePort } from "../../../src/platform/free_port.ts";
import { unpackedPackages } from "./debian_packages.ts";

export interface PgBouncer {
  command: string;
  /** Where its libraries are, when it was unpacked beside the system. */
  libraries: string | null;
}

/** Debian's packages; the rest of what it links to is part of every Debian. */
const PACKAGES = ["pgbouncer", "libevent-2.1-7", "libc-ares2"];

/**
 * The one on the path, or Debian's, unpacked into the cache without any rights; in the version that apt serves.
 * @returns in place of it the reason why there is none
 */
export async function findPgBouncer(cacheDirectory: string): Promise<PgBouncer | string> {
  const installed = await execa("pgbouncer", ["--version"], { reject: false });
  if (!installed.failed) return { command: "pgbouncer", libraries: null };
  const user = await postgresUser();
  await mkdir(cacheDirectory, { recursive: true });
  const isReachable = user === null || (await isOpenToAll(cacheDirectory));
  const place = isReachable ? join(cacheDirectory, "pgbouncer") : sharedCopy("pgbouncer");
  const complaint = await unpackedPackages(place, PACKAGES);
  if (complaint !== null) return complaint;
  const [libraries = ""] = (await readdir(join(place, "usr", "lib"))).filter((name) =>
    name.includes("-linux-"),
  );
  return {
    command: join(place, "usr", "sbin", "pgbouncer"),
    libraries: join(place, "usr", "lib", libraries),
  };
}

export interface Pooler {
  /** The same database, through the pooler. */
  through(databaseUrl: string): string;
  stop(): Promise<void>;
}

/** A pgbouncer with its defaults before the server of `serverUrl`, for every database there. Goes with this process. */
export async function startPgBouncer(
  { command, libraries }: PgBouncer,
  serverUrl: string,
  mode: "session" | "transaction",
  options: { poolSize?: number } = {},
): Promise<Pooler> {
  const home = await mkdtemp(join(tmpdir(), "model-deployer-pgbouncer-"));
  const stop = throwAwayWithProcess(home);
  const user = await postgresUser();
  const port = await findFreePort();
  const { users, settings } = await writeSettings(home, serverUrl, { port, mode, ...options });
  if (user !== null) for (const path of [home, users, settings]) await chown(path, user.uid, user.gid);
  await startProcess({
    name: "pgbouncer",
    runDirectory: join(home, "run"),
    command,
    args: [settings],
    env: libraries === null ? {} : { LD_LIBRARY_PATH: libraries },
    workingDirectory: home,
    ...(user === null ? {} : { user: user.name }),
  });
  const through = (databaseUrl: string) => {
    const url = new URL(databaseUrl);
    url.host = `127.0.0.1:${port}`;
    return url.href;
  };
  await untilItAnswers(through(serverUrl));
  return { through, stop };
}

async function writeSettings(
  home: string,
  serverUrl: string,
  { port, mode, poolSize = 20 }: { port: number; mode: string; poolSize?: number },
): Promise<{ users: string; settings: string }> {
  const { hostname, port: serverPort, username, password } = new URL(serverUrl);
  const users = join(home, "users.txt");
  const settings = join(home, "pgbouncer.ini");
  await writeFile(users, `"${decodeURIComponent(username)}" "${decodeURIComponent(password)}"\n`, {
    mode: 0o600,
  });
  const lines = [
    "[databases]",
    `* = host=${hostname} port=${serverPort}`,
    "[pgbouncer]",
    "listen_addr = 127.0.0.1",
    `listen_port = ${port}`,
    "unix_socket_dir =",
    "auth_type = trust",
    `auth_file = ${users}`,
    `pool_mode = ${mode}`,
    `default_pool_size = ${poolSize}`,
    "server_idle_timeout = 5",
  ];
  await writeFile(settings, `${lines.join("\n")}\n`, { mode: 0o600 });
  return { users, settings };
}

const PATIENCE_MS = 60_000;

async function untilItAnswers(url: string): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
    client.on("error", () => undefined);
    try {
      await client.connect();
      await client.query("select 1");
      return;
    } catch (cause) {
      if (performance.now() > deadline)
        throw new ServiceUnavailableError("pgbouncer", "it does not answer", { cause });
      await new Promise((resolve) => setTimeout(resolve, 50));
    } finally {
      await client.end();
    }
  }
}
