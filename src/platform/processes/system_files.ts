import { type FileHandle, open } from "node:fs/promises";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { atMost } from "../work/at_most.ts";
import { hasCode } from "../system_errors.ts";

/** A machine may have more processes than one process may have open files. */
export const FILES_AT_ONCE = 16;
const oneOfFew = atMost(FILES_AT_ONCE);
/** Such files have no size, and most are shorter than this: `readFile` takes 64 KiB of memory for each of them. */
const USUAL_BYTES = 2048;

/**
 * The text of one of the system's own files, of a process maybe; null for a file that is not there or not ours to read,
 * since processes end while they are looked at.
 * @throws ServiceUnavailableError where no file can be opened any more, so that nobody takes a living process for ended
 */
export async function textOfSystemFile(path: string): Promise<string | null> {
  return oneOfFew(async () => {
    try {
      const handle = await open(path, "r");
      return await wholeText(handle).finally(() => handle.close());
    } catch (cause) {
      if (!hasCode(cause, "EMFILE", "ENFILE")) return null;
      const message = `${path} cannot be read: too many files are open; raise the limit (ulimit -n)`;
      throw new ServiceUnavailableError("the operating system", message, { cause });
    }
  });
}

async function wholeText(handle: FileHandle): Promise<string> {
  const parts: Buffer[] = [];
  for (let size = USUAL_BYTES; ; size *= 2) {
    const buffer = Buffer.allocUnsafe(size);
    const { bytesRead } = await handle.read(buffer, 0, size, null);
    if (bytesRead === 0) return Buffer.concat(parts).toString("utf8");
    parts.push(buffer.subarray(0, bytesRead));
  }
}
