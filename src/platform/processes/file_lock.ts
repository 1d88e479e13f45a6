import { type EventEmitter, once } from "node:events";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { DiskFullError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { diskFull } from "../../agents/model_deployer/file_errors.ts";
import { childEnvironment, scriptPython } from "./child_environment.ts";

const lockScript = fileURLToPath(new URL("./file_lock.py", import.meta.url));
const EXIT_NO_ROOM = 73;

/**
 * Runs `work` while no other process of this machine runs any under the same path. The lock ends with the caller,
 * also when that is killed.
 *
 * @throws DiskFullError without room for the lock's file; ServiceUnavailableError when the lock can't be had within `waitMs`; without that, only `signal` ends the wait.
 */
export async function withFileLock<T>(
  path: string,
  options: { waitMs?: number; signal?: AbortSignal },
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const { execa } = await import("execa");
  // In a group of its own, so that a Ctrl-C meant for the caller does not release the lock before the caller is done.
  const holder = execa(scriptPython(), ["-I", "-S", lockScript, path], {
    detached: true,
    env: childEnvironment(),
    extendEnv: false,
    stdin: "pipe",
    reject: false,
  });
  try {
    await untilLocked(holder, path, options);
    return await work();
  } finally {
    holder.stdin.end();
    holder.kill();
    await holder;
  }
}

/** The process that holds a lock says so on its standard output, and ends where it cannot. */
interface LockHolder extends PromiseLike<{ exitCode?: number | undefined; stderr: string }> {
  stdout: EventEmitter;
}

async function untilLocked(
  holder: LockHolder,
  path: string,
  { waitMs, signal }: { waitMs?: number; signal?: AbortSignal },
): Promise<void> {
  const waiting = AbortSignal.any([
    ...(waitMs === undefined ? [] : [AbortSignal.timeout(waitMs)]),
    ...(signal ? [signal] : []),
  ]);
  const answered = once(holder.stdout, "data", { signal: waiting });
  const ended = Promise.resolve(holder).then((result) => {
    if (result.exitCode === EXIT_NO_ROOM) throw diskFull(path, { cause: result });
    throw new ServiceUnavailableError("lock", `${path} cannot be locked: ${result.stderr}`, {
      cause: result,
    });
  });
  try {
    await Promise.race([answered, ended]);
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof ServiceUnavailableError || cause instanceof DiskFullError) throw cause;
    throw new ServiceUnavailableError("lock", `${path} is held by another process for ${waitMs} ms`, {
      cause,
    });
  } finally {
    // Once the lock is held, its end is the expected one.
    ended.catch(() => undefined);
  }
}
