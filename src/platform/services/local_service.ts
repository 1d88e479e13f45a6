import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { withRoom } from "../../agents/model_deployer/file_errors.ts";
import { withFileLock } from "../processes/file_lock.ts";
import { keepFreePort, readKeptPort } from "./local_port.ts";
import {
  findProcess,
  readLogTail,
  startProcess,
  stopProcess,
  type ProcessSpec,
  type StopProcessOptions,
} from "../processes/managed_process.ts";

/** One server that runs under a home when no address of one is configured. */
export interface LocalService {
  name: "postgres" | "redis" | "mlflow";
  readyDeadlineMs: number;
  stopOptions: StopProcessOptions;
  /**
   * Makes the service's folders and files, under the lock and before a start, and returns how to run it on this port.
   */
  prepare(port: number, signal?: AbortSignal): Promise<Omit<ProcessSpec, "name" | "runDirectory">>;
  /**
   * Resolves when it answers as itself, rejects while it doesn't: with an OutdatedServiceError where only a start can change
   * that. Takes a few seconds at most.
   */
  probe(port: number): Promise<void>;
  /** Its address for clients. */
  url(port: number): Promise<string>;
}

/** The part of a home that a command stops: a service, or all that runs there. */
export type Stoppable = LocalService["name"] | "home";

export interface HomeOptions {
  homeDirectory: string;
  onProgress?: (line: string) => void;
  signal?: AbortSignal;
  /** Called with the name of a service that this call has started, and not of one that it found running. */
  onBegun?: (name: LocalService["name"]) => void;
  /** Called when the disk is full while a store starts, which a rollback needs; true when there may be room now. */
  makeRoom?: () => boolean;
  /** Called with its address as soon as it was started or found; it need not answer yet. */
  onStarted?: (url: string) => void;
}

/** Where the services' locks, records and logs lie. */
export function serviceRunDirectory(homeDirectory: string): string {
  return join(homeDirectory, "services");
}

/** Laid down by whoever stops a service, before it ends, so that nobody takes that for a death; goes with the next start. */
export function stoppedMark(runDirectory: string, name: Stoppable): string {
  return join(runDirectory, `${name}.stopped`);
}

/** It answers, but as an earlier version has started it, or by a password that is the home's no more. */
export class OutdatedServiceError extends ServiceUnavailableError {}

const ATTEMPTS = 3;
const LOCK_WAIT_MS = 240_000;

/**
 * Starts the service, or adopts the running one unless it is outdated, and returns its address when it is ready.
 *
 * @throws ServiceUnavailableError with the log's last lines when it does not become ready; then it runs no more.
 */
export function ensureService(service: LocalService, home: HomeOptions): Promise<string> {
  const makeRoom = service.name === "mlflow" ? undefined : home.makeRoom;
  return withRoom(makeRoom, () => ensureRunning(service, home));
}

async function ensureRunning(service: LocalService, home: HomeOptions): Promise<string> {
  const runDirectory = serviceRunDirectory(home.homeDirectory);
  const present = await answering(service, home, runDirectory);
  if (present !== null) return present;
  const lock = join(runDirectory, `${service.name}.starting`);
  const waiting = { waitMs: LOCK_WAIT_MS, ...(home.signal === undefined ? {} : { signal: home.signal }) };
  return withFileLock(lock, waiting, async () => {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await startOnce(service, home, runDirectory);
      } catch (error) {
        await stopProcess(runDirectory, service.name, service.stopOptions);
        if (attempt === ATTEMPTS || !isWorthAnotherStart(error)) throw error;
        if (error instanceof OutdatedServiceError) home.onProgress?.(`${error.message}; it is started anew`);
      }
    }
  });
}

/** The address of one that runs and answers at once: whoever only finds it needs no lock. */
async function answering(
  service: LocalService,
  home: HomeOptions,
  runDirectory: string,
): Promise<string | null> {
  if ((await findProcess(runDirectory, service.name)) === null) return null;
  const port = await readKeptPort(join(runDirectory, `${service.name}.port`)).catch(() => null);
  if (port === null) return null;
  const answers = await service.probe(port).then(
    () => true,
    () => false,
  );
  if (!answers) return null;
  const url = await service.url(port);
  home.onStarted?.(url);
  return url;
}

/** Between the choice of a port and its use somebody else may take it. */
class PortTakenError extends ServiceUnavailableError {}

const isWorthAnotherStart = (error: unknown): boolean =>
  error instanceof PortTakenError || error instanceof OutdatedServiceError;

async function startOnce(service: LocalService, home: HomeOptions, runDirectory: string): Promise<string> {
  const portFile = join(runDirectory, `${service.name}.port`);
  const running = await findProcess(runDirectory, service.name);
  const keptPort = running === null ? null : await readKeptPort(portFile);
  if (keptPort !== null) {
    home.onStarted?.(await service.url(keptPort));
    await waitUntilReady(service, keptPort, home, runDirectory);
    return service.url(keptPort);
  }
  await stopProcess(runDirectory, service.name, service.stopOptions);
  const port = await keepFreePort(portFile);
  const startedAt = performance.now();
  const spec = await service.prepare(port, home.signal);
  const { pid } = await startProcess({ ...spec, name: service.name, runDirectory });
  await rm(stoppedMark(runDirectory, service.name), { force: true });
  home.onBegun?.(service.name);
  home.onStarted?.(await service.url(port));
  await waitUntilReady(service, port, home, runDirectory);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  home.onProgress?.(`${service.name} is ready on 127.0.0.1:${port} after ${seconds} s (process ${pid})`);
  return service.url(port);
}

async function waitUntilReady(
  service: LocalService,
  port: number,
  home: HomeOptions,
  runDirectory: string,
): Promise<void> {
  const deadline = performance.now() + service.readyDeadlineMs;
  for (;;) {
    home.signal?.throwIfAborted();
    const runs = (await findProcess(runDirectory, service.name)) !== null;
    const failure = await service.probe(port).then(
      () => null,
      (cause: unknown) => ({ cause }),
    );
    if (failure === null && runs) return;
    if (failure?.cause instanceof OutdatedServiceError) throw failure.cause;
    if (!runs || performance.now() > deadline) {
      throw await explain(
        service,
        runDirectory,
        runs ? "is not ready in time" : "ended at its start",
        failure?.cause,
      );
    }
    await delay(50);
  }
}

async function explain(
  service: LocalService,
  runDirectory: string,
  what: string,
  cause: unknown,
): Promise<ServiceUnavailableError> {
  const log = await readLogTail(runDirectory, service.name, 15);
  const message = `local ${service.name} ${what}; its log ends with:\n${log === "" ? "(nothing)" : log}`;
  return /address already in use/i.test(log)
    ? new PortTakenError(service.name, message, { cause })
    : new ServiceUnavailableError(service.name, message, { cause });
}
