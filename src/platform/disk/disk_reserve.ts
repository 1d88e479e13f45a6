import { randomFillSync, randomUUID } from "node:crypto";
import { readdirSync, statSync, truncateSync, unlinkSync } from "node:fs";
import { mkdir, open, readdir, stat, statfs, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";

const PIECES = 4;
const CHUNK_BYTES = 1024 * 1024;
/** A route and the start of a server, a router and Postgres' log make some ten files. */
const FILES = 128;

export interface ReservedHome {
  home: string;
  /** 0 keeps none. */
  reserveBytes: number;
}

/**
 * A file that nobody reads, and a folder of empty ones, which keep room on the disk for a rollback: a disk has no more
 * room either when its bytes or when its files are used up. An operation that meets a full disk frees a piece of both;
 * they grow back to their size where there is room.
 */
export class DiskReserve {
  readonly path: string;
  readonly #files: string;
  readonly #home: string;
  readonly #bytes: number;

  constructor({ home, reserveBytes }: ReservedHome) {
    this.path = join(home, "reserve");
    this.#files = join(home, "reserve_files");
    this.#home = home;
    this.#bytes = reserveBytes;
  }

  /** Frees a piece; false where nothing is left. Synchronous, since a failed write waits for it. */
  release(): boolean {
    const [bytes, files] = [this.#releaseBytes(), this.#releaseFiles()];
    return bytes || files;
  }

  /** Grows to its full size where as much again stays free. @returns how many bytes are kept now */
  async keep(): Promise<number> {
    if (this.#bytes === 0) return 0;
    await mkdir(this.#files, { recursive: true, mode: 0o700 });
    const { bavail, bsize, files, ffree } = await statfs(this.#home);
    await this.#keepFiles(files === 0 ? 0 : ffree);
    const before = await this.#size();
    const missing = this.#bytes - before;
    if (missing <= 0 || bavail * bsize < missing * 2) return before;
    try {
      await this.#append(missing);
    } catch {
      // Somebody else has used the room meanwhile.
      await truncate(this.path, before).catch(() => undefined);
    }
    return this.#size();
  }

  #releaseBytes(): boolean {
    try {
      const { size } = statSync(this.path);
      if (size === 0) return false;
      truncateSync(this.path, Math.max(0, size - Math.ceil(this.#bytes / PIECES)));
      return true;
    } catch {
      return false;
    }
  }

  #releaseFiles(): boolean {
    try {
      const piece = readdirSync(this.#files).slice(0, FILES / PIECES);
      for (const name of piece) unlinkSync(join(this.#files, name));
      return piece.length > 0;
    } catch {
      return false;
    }
  }

  /** @param free how many files the file system can still take; 0 where it has no limit */
  async #keepFiles(free: number): Promise<void> {
    const missing = FILES - (await readdir(this.#files)).length;
    if (missing <= 0 || free < missing * 2) return;
    const kept = Array.from({ length: missing }, () => writeFile(join(this.#files, randomUUID()), ""));
    // Somebody else has used the room meanwhile.
    await Promise.allSettled(kept);
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
