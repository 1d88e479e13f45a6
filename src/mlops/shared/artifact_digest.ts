import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";

/** A file of an artifact: its path inside with forward slashes, and the sha256 of its bytes in hex. */
export interface HashedFile {
  path: string;
  sha256: string;
}

/**
 * sha256 in hex over the lines `<sha256>  <path>\n`, sorted by their bytes; the same as
 * `find . -type f -printf '%P\0' | xargs -0 sha256sum | LC_ALL=C sort | sha256sum` in the folder.
 */
export function digestOfFiles(files: readonly HashedFile[]): string {
  const lines = files
    .map(({ path, sha256 }) => Buffer.from(`${sha256}  ${path}\n`))
    .sort((a, b) => a.compare(b));
  return createHash("sha256").update(Buffer.concat(lines)).digest("hex");
}

export async function digestOfFile(file: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}
