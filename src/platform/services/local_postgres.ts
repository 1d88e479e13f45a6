import { chmod, chown, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ExecaError } from "execa";
import pg from "pg";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { childEnvironment } from "../processes/child_environment.ts";
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
/** The deployer's own login: a member of the roles that its statements and its memories run as, and no more. */
const login = "model_deployer";
const memberOf = ["model_deployer_app", "service_role"];
const INITDB_TIMEOUT_MS = 120_000;

/**
 * A Postgres of its own: drawn passwords, 127.0.0.1 only, durable settings, the database `model_deployer`. Its address is
 * that of the deployer's login, which cannot become the owner; `ownerUrl` is for migrations and administration.
 */
export function localPostgres(
  homeDirectory: string,
): LocalService & { ownerUrl(port: number): Promise<string> } {
  // Beside the cluster, which may lie outside the home and outlive it.
  const secret = async (name: string) => keepSecret(join((await openPlace(homeDirectory)).directory, name));
  const password = () => secret("password");
  const address = (user: string, word: string, port: number, name = database) =>
    `postgresql://${user}:${word}@127.0.0.1:${port}/${name}`;
  const ownerUrl = async (port: number, name = database) => address("postgres", await password(), port, name);
  const url = async (port: number) => address(login, await secret("login-password"), port);
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
      const ask = async () =>
        withClient(await url(port), async (client) => void (await client.query("select 1")));
      await ask().catch(async (cause: unknown) => {
        if (!(cause instanceof pg.DatabaseError) || !NOT_MADE.has(cause.code ?? "")) throw cause;
        await withClient(await ownerUrl(port, "postgres"), makeDatabase);
        const word = await secret("login-password");
        await withClient(await ownerUrl(port), (client) => makeLogin(client, word));
        await ask();
      });
    },
    url,
    ownerUrl: (port) => ownerUrl(port),
  };
}

/** SQLSTATEs of a login that is refused and of a database that does not exist. */
const NOT_MADE = new Set(["28P01", "28000", "3D000"]);

async function makeDatabase(client: pg.Client): Promise<void> {
  const found = await client.query("select 1 from pg_database where datname = $1", [database]);
  if (found.rowCount === 0) await client.query(`create database ${database}`);
}

/** Idempotent; gives an existing login this password. */
async function makeLogin(client: pg.Client, password: string): Promise<void> {
  const known = await client.query<{ rolname: string }>("select rolname from pg_roles");
  const names = new Set(known.rows.map(({ rolname }) => rolname));
  for (const role of memberOf) if (!names.has(role)) await client.query(`create role ${role} nologin`);
  if (!names.has(login)) await client.query(`create role ${login}`);
  const rights = "login nosuperuser nocreatedb nocreaterole noreplication nobypassrls";
  await client.query(`alter role ${login} ${rights} password ${pg.escapeLiteral(password)}`);
  await client.query(`grant ${memberOf.join(", ")} to ${login}`);
}

/** The folder that holds the cluster, and the user that runs it. */
async function openPlace(homeDirectory: string): Promise<{ user: SystemUser | null; directory: string }> {
  const user = await postgresUser();
  const directory = join(await reachableDirectory(homeDirectory, user), "postgres");
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // Whatever the umask says: the user that runs it passes through.
  if (user !== null) await chmod(directory, 0o711);
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
  const { execa } = await import("execa");
  try {
    await execa(binaries.initdb, [`--pgdata=${scratch}`, ...owner, ...locale], {
      cwd: dirname(scratch),
      env: childEnvironment({ LC_ALL: "C" }),
      extendEnv: false,
      timeout: INITDB_TIMEOUT_MS,
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
  return isOfProgram(cause) ? `${cause.shortMessage}\n${String(cause.stderr)}` : String(cause);
}

/** Told by its shape, for the class is loaded only where a cluster is made. */
const isOfProgram = (cause: unknown): cause is ExecaError =>
  cause instanceof Error && "shortMessage" in cause && "stderr" in cause;
