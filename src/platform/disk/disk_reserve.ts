import { randomFillSync } from "node:crypto";
import { statSync, truncateSync } from "node:fs";
import { mkdir, open, stat, statfs, truncate } from "node:fs/promises";
import { join } from "node:path";

const PIECES = 4;
const CHUNK_BYTES = 1024 * 1024;

/**
 * A file that nobody reads, which keeps room on the disk for a rollback. An operation that meets a full disk frees a
 * piece of it; it grows back to its size where there is room.
 */
export class DiskReserve {
  readonly path: string;
  readonly #home: string;
  readonly #bytes: number;

  /** @param bytes 0 keeps none */
  constructor(home: string, bytes: number) {
    this.path = join(home, "reserve");
    this.#home = home;
    this.#bytes = bytes;
  }

  /** Frees a piece; false where nothing is left. Synchronous, since a failed write waits for it. */
  release(): boolean {
    try {
      const { size } = statSync(this.path);
      if (size === 0) return false;
      truncateSync(this.path, Math.max(0, size - Math.ceil(this.#bytes / PIECES)));
      return true;
    } catch {
      return false;
    }
  }

  /** Grows the file to its full size where as much again stays free. @returns how many bytes are kept now */
  async keep(): Promise<number> {
    if (this.#bytes === 0) return 0;
    await mkdir(this.#home, { recursive: true, mode: 0o700 });
    const before = await this.#size();
    const missing = this.#bytes - before;
    if (missing <= 0) return before;
    const { bavail, bsize } = await statfs(this.#home);
    if (bavail * bsize < missing * 2) return before;
    try {
      await this.#append(missing);
    } catch {
      // Somebody else has used the room meanwhile.
      await truncate(this.path, before).catch(() => undefined);
    }
    return this.#size();
  }

  async #size(): Promise<number> {
    return stat(this.path).then(
      ({ size }) => size,
      () => 0,
    );
  }

  /** Random bytes, since some file systems allocate nothing for zeros. */
  async #append(bytes: number): Promise<void> {
    const chunk = randomFillSync(Buffer.alloc(Math.min(CHUNK_BYTES, bytes)));
    const file = await open(this.path, "a", 0o600);
    try {
      for (let left = bytes; left > 0; left -= chunk.length) {
        await file.appendFile(chunk.subarray(0, Math.min(chunk.length, left)));
      }
      await file.sync();
    } finally {
      await file.close();
    }
  }
}
