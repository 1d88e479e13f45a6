import { chown, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa, ExecaError } from "execa";
import pg from "pg";
import { ServiceUnavailableError } from "../agents/model_deployer/errors.ts";
import { childEnvironment } from "./child_environment.ts";
import { keepSecret } from "./local_secret.ts";
import type { LocalService } from "./local_service.ts";
import {
  completePostgres,
  copyPostgres,
  locatePostgres,
  type PostgresBinaries,
} from "./postgres_binaries.ts";
import {
  isOpenToAll,
  postgresUser,
  reachableDirectory,
  sharedCopy,
  type SystemUser,
} from "./postgres_user.ts";

const database = "model_deployer";
const initdbTimeoutMs = 120_000;

/** A Postgres of its own: a drawn password, 127.0.0.1 only, durable settings, the database `model_deployer`. */
export function localPostgres(homeDirectory: string): LocalService {
  // Beside the cluster, which may lie outside the home and outlive it.
  const password = async () => keepSecret(join((await openPlace(homeDirectory)).directory, "password"));
  const url = async (port: number, name = database) =>
    `postgresql://postgres:${await password()}@127.0.0.1:${port}/${name}`;
  return {
    name: "postgres",
    readyDeadlineMs: 60_000,
    // Its fast shutdown: sessions are ended, everything is written.
    stopOptions: { graceMs: 30_000, leaderSignal: "SIGINT" },
    async prepare(port, signal) {
      const { user, directory } = await openPlace(homeDirectory);
      const binaries = await reachableBinaries(user);
      const data = join(directory, "data");
      await ensureCluster({ binaries, data, user, password: await password(), signal });
      // Nothing of this cluster runs any more, or it would have been adopted; a pid in a stale file may be somebody else's.
      await rm(join(data, "postmaster.pid"), { force: true });
      const settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "logging_collector=off"];
      return {
        command: binaries.postgres,
        args: ["-D", data, "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])],
        env: childEnvironment({ LC_ALL: "C" }),
        workingDirectory: data,
        ...(user === null ? {} : { user: user.name }),
      };
    },
    async probe(port) {
      await withClient(await url(port, "postgres"), async (client) => {
        const found = await client.query("select 1 from pg_database where datname = $1", [database]);
        if (found.rowCount === 0) await client.query(`create database ${database}`);
      });
    },
    url: (port) => url(port),
  };
}

/** The folder that holds the cluster, and the user that runs it. */
async function openPlace(homeDirectory: string): Promise<{ user: SystemUser | null; directory: string }> {
  const user = await postgresUser();
  const directory = join(await reachableDirectory(homeDirectory, user), "postgres");
  await mkdir(directory, { recursive: true, mode: user === null ? 0o700 : 0o711 });
  return { user, directory };
}

async function withClient(url: string, work: (client: pg.Client) => Promise<void>): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 3_000,
    query_timeout: 10_000,
  });
  client.on("error", () => undefined); // the rejected query says the same
  try {
    await client.connect();
    await work(client);
  } finally {
    await client.end();
  }
}

async function reachableBinaries(user: SystemUser | null): Promise<PostgresBinaries> {
  const { native, version } = await locatePostgres();
  if (user === null || (await isOpenToAll(native))) return completePostgres(native);
  const copy = sharedCopy(`postgres-${version}`);
  await copyPostgres(native, copy);
  return completePostgres(join(copy, "native"));
}

interface Cluster {
  binaries: PostgresBinaries;
  data: string;
  user: SystemUser | null;
  password: string;
  signal: AbortSignal | undefined;
}

/** Initialises the cluster unless it is there. It is made beside its place and moved when whole. */
async function ensureCluster({ binaries, data, user, password, signal }: Cluster): Promise<void> {
  const version = await readFile(join(data, "PG_VERSION"), "utf8").catch(() => null);
  if (version !== null) return;
  const scratch = `${data}.new`;
  const passwordFile = `${data}.password`;
  await rm(scratch, { recursive: true, force: true });
  await mkdir(scratch, { mode: 0o700 });
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600 });
  if (user !== null) {
    await chown(scratch, user.uid, user.gid);
    await chown(passwordFile, user.uid, user.gid);
  }
  const owner = ["--username=postgres", "--auth=scram-sha-256", `--pwfile=${passwordFile}`];
  const locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"];
  try {
    await execa(binaries.initdb, [`--pgdata=${scratch}`, ...owner, ...locale], {
      cwd: dirname(scratch),
      env: childEnvironment({ LC_ALL: "C" }),
      extendEnv: false,
      timeout: initdbTimeoutMs,
      ...(user === null ? {} : { uid: user.uid, gid: user.gid }),
      ...(signal === undefined ? {} : { cancelSignal: signal }),
    });
    await rename(scratch, data);
  } catch (cause) {
    signal?.throwIfAborted();
    throw new ServiceUnavailableError(
      "postgres",
      `initdb cannot make a cluster in ${data}: ${complaint(cause)}`,
      {
        cause,
      },
    );
  } finally {
    await rm(passwordFile, { force: true });
  }
}

function complaint(cause: unknown): string {
  return cause instanceof ExecaError ? `${cause.shortMessage}\n${cause.stderr}` : String(cause);
}
