import { chmod, mkdir, stat } from "node:fs/promises";
import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { execFile } from "node:child_process";
import { ConfigurationError } from "../../agents/model_deployer/errors.ts";
import { childEnvironment } from "../processes/child_environment.ts";

/** Postgres refuses to run as root, so that root runs it as this system user. */
export interface SystemUser {
  name: string;
  uid: number;
  gid: number;
}

const userName = "postgres";
const COMMAND_TIMEOUT_MS = 20_000;
/** Where root's servers lie when their home is closed to other users, as /root is. */
const sharedDirectory = "/var/lib/model-deployer";

/** Null for everybody but root. @throws ConfigurationError when the user neither exists nor can be made. */
export async function postgresUser(): Promise<SystemUser | null> {
  if (process.getuid?.() !== 0) return null;
  const existing = await lookUp();
  if (existing !== null) return existing;
  const args = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", userName];
  const failure = await run("useradd", args).then(
    () => undefined,
    (cause: unknown) => cause,
  );
  const created = await lookUp();
  if (created !== null) return created;
  throw new ConfigurationError(
    `Postgres does not run as root, and there is no system user ${userName}: run as another user, create that user, or set DATABASE_URL`,
    { cause: failure },
  );
}

/**
 * The folder for a server of this home: the home's own, or for root, when that is closed to the server's user, one
 * under /var/lib. The home itself is opened for passing through; its parents are not touched.
 */
export async function reachableDirectory(homeDirectory: string, user: SystemUser | null): Promise<string> {
  await mkdir(homeDirectory, { recursive: true, mode: 0o700 });
  if (user === null) return homeDirectory;
  if (await isOpenToAll(dirname(homeDirectory))) {
    const { mode } = await stat(homeDirectory);
    await chmod(homeDirectory, (mode & 0o777) | 0o011);
    return homeDirectory;
  }
  const hash = createHash("sha256").update(homeDirectory).digest("hex").slice(0, 16);
  const directory = join(sharedDirectory, hash);
  await mkdir(directory, { recursive: true });
  for (const one of [sharedDirectory, directory]) await chmod(one, 0o755);
  return directory;
}

/** Where root keeps a copy of a program that its place closes to other users. */
export function sharedCopy(name: string): string {
  return join(sharedDirectory, name);
}

/** Whether any user can pass through the folder and all its parents. */
export async function isOpenToAll(directory: string): Promise<boolean> {
  const { mode } = await stat(directory);
  if ((mode & 0o001) === 0) return false;
  const parent = dirname(directory);
  return parent === directory || isOpenToAll(parent);
}

async function lookUp(): Promise<SystemUser | null> {
  const [uid, gid] = await Promise.all([run("id", ["-u", userName]), run("id", ["-g", userName])]).catch(
    () => [],
  );
  return uid === undefined || gid === undefined
    ? null
    : { name: userName, uid: Number(uid), gid: Number(gid) };
}

async function run(command: string, args: string[]): Promise<string> {
  const options = { env: childEnvironment(), timeout: COMMAND_TIMEOUT_MS };
  return (await promisify(execFile)(command, args, options)).stdout.trim();
}
