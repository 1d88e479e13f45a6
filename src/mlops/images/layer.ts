import { createHash, type Hash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { lstat, mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { pack, type Pack } from "tar-stream";
import { EndpointCreationError } from "../../agents/model_deployer/errors.ts";

/** One layer of an image as a file. */
export interface Layer {
  path: string;
  /** `sha256:...` of the file, by which a registry knows it. */
  digest: string;
  /** Of the tar inside it, by which an image's configuration knows it. */
  diff_id: string;
  size: number;
}

/** A folder on this machine and where the image has it. */
export interface LayerFolder {
  from: string;
  /** `srv/bento/src`, without a slash at either end. */
  to: string;
  /** Whether a file belongs into the layer, by its path below `from`. */
  includes?: (path: string) => boolean;
}

/**
 * Packs a folder as an image's layer. The same files give the same bytes: sorted by name, of nobody, of the time 0, each
 * readable by everybody and writable by nobody. @throws EndpointCreationError for what is neither a file nor a folder
 */
export async function writeLayer(folder: LayerFolder, target: string): Promise<Layer> {
  await mkdir(dirname(target), { recursive: true });
  const scratch = `${target}.${randomUUID()}`;
  const whole = createHash("sha256");
  const inside = createHash("sha256");
  try {
    const tar = pack();
    const written = pipeline(
      tar,
      hashing(inside),
      createGzip({ level: 6 }),
      hashing(whole),
      createWriteStream(scratch),
    );
    const filled = fill(tar, folder).catch((error: unknown) => {
      tar.destroy(error instanceof Error ? error : undefined);
      throw error;
    });
    await Promise.all([filled, written]);
    const { size } = await stat(scratch);
    await rename(scratch, target);
    return {
      path: target,
      digest: `sha256:${whole.digest("hex")}`,
      diff_id: `sha256:${inside.digest("hex")}`,
      size,
    };
  } finally {
    await rm(scratch, { force: true });
  }
}

export function digestOfText(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

const nobody = { uid: 0, gid: 0, uname: "", gname: "", mtime: new Date(0) };

async function fill(tar: Pack, { from, to, includes = () => true }: LayerFolder): Promise<void> {
  const parents = to.split("/").map((_part, index, parts) => parts.slice(0, index + 1).join("/"));
  for (const name of parents) tar.entry({ ...nobody, name: `${name}/`, type: "directory", mode: 0o755 });
  for (const path of await filesBelow(from)) {
    const source = join(from, path);
    const { size, mode } = await stat(source);
    if (!includes(path)) continue;
    const isProgram = (mode & 0o100) !== 0;
    const entry = tar.entry({ ...nobody, name: `${to}/${path}`, size, mode: isProgram ? 0o555 : 0o444 });
    await pipeline(createReadStream(source), entry);
  }
  tar.finalize();
}

/** Relative paths with `/`, in the order of their bytes. */
async function filesBelow(root: string): Promise<string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const paths: string[] = [];
  for (const entry of entries) {
    const absolute = join(entry.parentPath, entry.name);
    if (entry.isDirectory()) continue;
    const isFile =
      entry.isFile() || ((await lstat(absolute)).isSymbolicLink() && (await stat(absolute)).isFile());
    if (!isFile) {
      throw new EndpointCreationError(
        `${absolute} is neither a file nor a folder, so no image can hold it: remove it`,
      );
    }
    paths.push(
      absolute
        .slice(root.length + 1)
        .split("\\")
        .join("/"),
    );
  }
  return paths.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function hashing(hash: Hash): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
}
