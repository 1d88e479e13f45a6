import { AgentError } from "../base/agent_error.ts";
import { DiskFullError, ServiceRefusedError, ServiceUnavailableError } from "./errors.ts";

const FULL = /^(ENOSPC|EDQUOT)$/;
const FORBIDDEN = /^(EACCES|EPERM|EROFS)$/;
const NO_FOLDER = /^(ENOTDIR|EEXIST|ELOOP|ENAMETOOLONG)$/;
const TOO_MANY = /^(EMFILE|ENFILE)$/;

/** Whether the disk, or the user's share of it, has no room for what was to be written. */
export function isDiskFull(error: unknown): boolean {
  return FULL.test(codeOf(error));
}

/**
 * The typed error, with its way out, for an error of the file system; any other error is returned unchanged.
 * @param writing the data to be written, for an error that does not name it
 */
export function typedFileError(error: unknown, writing: string | null = null): unknown {
  if (!(error instanceof Error) || error instanceof AgentError) return error;
  const code = codeOf(error);
  const path = "path" in error && typeof error.path === "string" ? error.path : writing;
  const options = { cause: error, details: { path, system_code: code } };
  const where = path ?? "a file";
  if (FULL.test(code)) return diskFull(where, options);
  if (FORBIDDEN.test(code)) {
    const why = code === "EROFS" ? "its file system can only be read" : "this user may not";
    const wayOut =
      "give the folder to this user, or set MODEL_DEPLOYER_HOME or MODEL_DEPLOYER_CACHE to another";
    return new ServiceRefusedError("files", `${where} cannot be written, for ${why}: ${wayOut}.`, options);
  }
  if (NO_FOLDER.test(code) && "syscall" in error && error.syscall === "mkdir") {
    const why = "a file, a circle of links or too long a name is in the way";
    const wayOut = "set MODEL_DEPLOYER_HOME or MODEL_DEPLOYER_CACHE to a folder";
    return new ServiceRefusedError(
      "files",
      `${where} cannot be made a folder, for ${why}: ${wayOut}.`,
      options,
    );
  }
  if (!TOO_MANY.test(code)) return error;
  const message = `${where} cannot be opened, for too many files are open: raise the limit (ulimit -n).`;
  return new ServiceUnavailableError("files", message, options);
}

/** @param where the path that could not be written */
export function diskFull(
  where: string,
  options: { cause?: unknown; details?: Record<string, unknown> },
): DiskFullError {
  const what =
    "logs, artifacts and bentos that are no longer needed; where bytes are free it lacks files, `df -i`";
  const wayOut = `free room there (${what}), then repeat the request`;
  return new DiskFullError(`${where} cannot be written, for its disk is full: ${wayOut}.`, options);
}

/**
 * Does work that is harmless the second time again after a full disk, once for each piece of room that `makeRoom` frees;
 * without it, or once it frees none, a full disk is raised.
 */
export async function withRoom<T>(makeRoom: (() => boolean) | undefined, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const isFull = error instanceof DiskFullError || isDiskFull(error);
      if (!isFull || makeRoom?.() !== true) throw typedFileError(error);
    }
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
