import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { isDiskFull } from "../../agents/model_deployer/file_errors.ts";
import { localMlflow, type MLflowLogin } from "./local_mlflow.ts";
import { localPostgres } from "./local_postgres.ts";
import { localRedis } from "./local_redis.ts";
import { ensureService, type HomeOptions, type LocalService, serviceRunDirectory } from "./local_service.ts";
import { readKeptPort } from "./local_port.ts";
import { endAttendants } from "../processes/homes/attendants.ts";
import { findProcess, listProcesses, stopProcess } from "../processes/managed_process.ts";
import { ensureToolsEnvironment } from "../python/python_environment.ts";

export interface LocalServicesOptions extends HomeOptions {
  /** Where the Python environment with MLflow and Redis is kept. */
  cacheDirectory: string;
  /** Services that the configuration gives no address for. */
  need: { postgres: boolean; redis: boolean; mlflow: boolean };
  /** Services that are started without waiting until they answer; `onProgress` reports the outcome. */
  mayFollow?: readonly LocalService["name"][];
  /** The services that these wait for before they start, where they have an address from an earlier run. */
  after?: Promise<unknown>;
}

export interface LocalServices {
  /** Of the deployer's login, which does not own the tables. */
  databaseUrl?: string;
  /** Of the user who owns them. */
  databaseOwnerUrl?: string;
  redisUrl?: string;
  mlflowUrl?: string;
  /** As whom it is asked. */
  mlflowLogin?: MLflowLogin;
  /** Ends every local service of this home, whoever started it. Idempotent. */
  stop(): Promise<void>;
}

/**
 * Brings up the needed services under the home, on 127.0.0.1, or adopts those that already run there. They outlive this
 * process; `stop` or `stopLocalServices` ends them, and their data stays for the next start.
 *
 * @throws ServiceUnavailableError when one does not become ready; ConfigurationError without a usable Python. Services
 * that did come up keep running.
 */
export async function startLocalServices(options: LocalServicesOptions): Promise<LocalServices> {
  const homeDirectory = resolve(options.homeDirectory);
  await mkdir(homeDirectory, { recursive: true, mode: 0o700 });
  const home = { ...options, homeDirectory };
  const ensure = async (promised: LocalService | Promise<LocalService>) => {
    const service = await promised;
    const mayFollow = options.mayFollow?.includes(service.name) === true;
    if (!mayFollow) return ensureService(service, home);
    const address = options.after === undefined ? null : await formerAddress(service, homeDirectory);
    if (address === null) return startedOrFormer(service, home);
    void options.after?.then(() => startedOnly(service, home)).catch(() => undefined);
    return address;
  };
  const tools = options.need.redis || options.need.mlflow ? ensureToolsEnvironment(options) : null;
  const started = await Promise.allSettled([
    options.need.postgres ? ensure(localPostgres(homeDirectory)) : undefined,
    options.need.redis ? tools?.then((t) => ensure(localRedis(homeDirectory, t.redisServer))) : undefined,
    options.need.mlflow ? tools?.then((t) => ensure(localMlflow(homeDirectory, t.python))) : undefined,
  ]);
  const [databaseUrl, redisUrl, mlflowUrl] = started.map((outcome) => {
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  });
  return {
    ...(databaseUrl === undefined ? {} : await bothUrls(homeDirectory, databaseUrl)),
    ...(redisUrl === undefined ? {} : { redisUrl }),
    ...(mlflowUrl === undefined ? {} : await withLogin(homeDirectory, mlflowUrl)),
    stop: () => stopLocalServices(homeDirectory),
  };
}

async function bothUrls(homeDirectory: string, databaseUrl: string) {
  const port = Number(new URL(databaseUrl).port);
  return { databaseUrl, databaseOwnerUrl: await localPostgres(homeDirectory).ownerUrl(port) };
}

/** Where the disk has no room for a first password, whoever asks the registry is told then. */
async function withLogin(homeDirectory: string, mlflowUrl: string) {
  try {
    return { mlflowUrl, mlflowLogin: await localMlflow(homeDirectory, "").login() };
  } catch (error) {
    if (isDiskFull(error)) return { mlflowUrl };
    throw error;
  }
}

/** Where it was, and will be again unless somebody takes its port meanwhile; null where it runs, or never did. */
async function formerAddress(service: LocalService, homeDirectory: string): Promise<string | null> {
  const runDirectory = serviceRunDirectory(homeDirectory);
  if ((await findProcess(runDirectory, service.name)) !== null) return null;
  const port = await readKeptPort(join(runDirectory, `${service.name}.port`));
  return port === null ? null : service.url(port);
}

/**
 * Where it cannot be started, the address that it had: what does without it goes on, and whoever needs it is told then.
 * @throws ServiceUnavailableError when it never had one
 */
async function startedOrFormer(service: LocalService, home: HomeOptions): Promise<string> {
  try {
    return await startedOnly(service, home);
  } catch (error) {
    const address = await formerAddress(service, home.homeDirectory);
    if (address === null) throw error;
    return address;
  }
}

/** The service's address once it was started. @throws ServiceUnavailableError when it could not even be started */
function startedOnly(service: LocalService, home: HomeOptions): Promise<string> {
  const started = Promise.withResolvers<string>();
  ensureService(service, { ...home, onStarted: started.resolve }).then(started.resolve, (error: unknown) => {
    home.onProgress?.(error instanceof Error ? error.message : String(error));
    started.reject(error);
  });
  return started.promise;
}

/** Addresses of the services that run under the home now; starts nothing. */
export async function findLocalServices(homeDirectory: string): Promise<Omit<LocalServices, "stop">> {
  const directory = resolve(homeDirectory);
  const runDirectory = serviceRunDirectory(directory);
  const addressOf = async (service: LocalService): Promise<string | null> => {
    if ((await findProcess(runDirectory, service.name)) === null) return null;
    const port = await readKeptPort(join(runDirectory, `${service.name}.port`));
    return port === null ? null : service.url(port);
  };
  const [databaseUrl, redisUrl, mlflowUrl] = await Promise.all([
    addressOf(localPostgres(directory)),
    addressOf(localRedis(directory, "")),
    addressOf(localMlflow(directory, "")),
  ]);
  return {
    ...(databaseUrl === null ? {} : await bothUrls(directory, databaseUrl)),
    ...(redisUrl === null ? {} : { redisUrl }),
    ...(mlflowUrl === null ? {} : await withLogin(directory, mlflowUrl)),
  };
}

/**
 * Ends the local services of the home, or those of the names, and all their processes, once whoever serves by them has ended
 * in order; the data stays. Idempotent.
 */
export async function stopLocalServices(homeDirectory: string, names?: readonly string[]): Promise<void> {
  const directory = resolve(homeDirectory);
  const runDirectory = serviceRunDirectory(directory);
  const known = [localPostgres(directory), localRedis(directory, ""), localMlflow(directory, "")];
  const asked = known.filter(({ name }) => names === undefined || names.includes(name));
  await endAttendants(
    directory,
    asked.map(({ name }) => name),
  );
  const running = new Set((await listProcesses(runDirectory)).map((entry) => entry.name));
  await Promise.all(
    asked
      .filter(({ name }) => running.has(name))
      .map((service) => stopProcess(runDirectory, service.name, service.stopOptions)),
  );
}
