import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { extract, pack, type Pack } from "tar-stream";
import { z } from "zod";
import { InvalidRequestError } from "../../agents/model_deployer/errors.ts";
import { isSealed, sealed, unsealed } from "./sealed.ts";

/** The last entry: an archive without it was cut off. */
const DIGESTS = "digests.json";
const digestsSchema = z.strictObject({ sha256: z.record(z.string(), z.string()) });
const SAFE = /^(?!.*(^|\/)\.\.(\/|$))(?!\/)[\x20-\x7e]{1,1000}$/;

/**
 * Writes all files below a folder into one archive: a tar, packed by gzip, sealed where a key is given. The file is there
 * whole, under its name, or not at all.
 */
export async function writeArchive(folder: string, path: string, key: string | null): Promise<void> {
  const scratch = `${path}.partial-${process.pid}`;
  const tar = pack();
  const packed = Readable.from(tar).pipe(createGzip({ level: 6 }));
  try {
    const content = key === null ? packed : await sealed(packed, key);
    const filled = fill(tar, folder).catch((error: unknown) => {
      tar.destroy(error instanceof Error ? error : new InvalidRequestError(String(error)));
      throw error;
    });
    await Promise.all([filled, pipeline(content, createWriteStream(scratch, { mode: 0o600 }))]);
    const file = await open(scratch, "r");
    await file.sync().finally(() => file.close());
    await rename(scratch, path);
  } finally {
    await rm(scratch, { force: true });
  }
}

async function fill(tar: Pack, folder: string): Promise<void> {
  const sha256: Record<string, string> = {};
  for (const path of await filesIn(folder)) {
    const absolute = join(folder, path);
    const { size } = await stat(absolute);
    const hash = createHash("sha256");
    const entry = tar.entry({ name: path, size, mode: 0o600 });
    await pipeline(createReadStream(absolute), hashing(hash), entry);
    sha256[path] = hash.digest("hex");
  }
  tar.entry({ name: DIGESTS, mode: 0o600 }, JSON.stringify({ sha256 }));
  tar.finalize();
}

/** `manifest.json` first. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join("/"));
  return files.sort(
    (a, b) => Number(b === "manifest.json") - Number(a === "manifest.json") || (a < b ? -1 : 1),
  );
}

/**
 * Reads a whole archive into an empty folder, and checks each file against its digest.
 * @throws InvalidRequestError for a wrong key, and for an archive that was altered or cut off
 */
export async function readArchive(path: string, folder: string, key: string | null): Promise<void> {
  const content = await opened(path, key);
  const found: Record<string, string> = {};
  let told: unknown = null;
  const tar = extract();
  try {
    await Promise.all([
      pipeline(content, createGunzip(), tar),
      (async () => {
        for await (const entry of tar) {
          const { name, type } = entry.header;
          if (type !== "file" || !SAFE.test(name)) throw notOurs(path);
          const hash = createHash("sha256");
          const target = join(folder, name);
          await mkdir(dirname(target), { recursive: true });
          await pipeline(entry, hashing(hash), createWriteStream(target, { mode: 0o600 }));
          if (name === DIGESTS) told = target;
          else found[name] = hash.digest("hex");
        }
      })(),
    ]);
  } catch (cause) {
    if (cause instanceof InvalidRequestError) throw cause;
    throw damaged(path, { cause });
  }
  if (typeof told !== "string") throw damaged(path, {});
  await checkDigests(path, told, found);
}

async function opened(path: string, key: string | null): Promise<Readable> {
  const isEncrypted = await isSealed(path).catch((cause: unknown) => {
    throw new InvalidRequestError(`${path} cannot be read.`, { cause });
  });
  if (!isEncrypted && key === null) return createReadStream(path);
  if (isEncrypted && key !== null) return unsealed(path, key);
  throw new InvalidRequestError(
    isEncrypted
      ? `${path} is encrypted: name its key with --key-file.`
      : `${path} is not encrypted, though a key was given: it is not what was backed up with that key. Leave out --key-file to take it all the same.`,
  );
}

async function checkDigests(path: string, list: string, found: Record<string, string>): Promise<void> {
  const told = digestsSchema.safeParse(JSON.parse(await readFile(list, "utf8")));
  await rm(list);
  if (!told.success) throw damaged(path, {});
  const names = new Set([...Object.keys(told.data.sha256), ...Object.keys(found)]);
  for (const name of names)
    if (told.data.sha256[name] !== found[name]) throw damaged(path, { details: { name } });
}

function hashing(hash: ReturnType<typeof createHash>): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
}

const damaged = (path: string, options: { cause?: unknown; details?: Record<string, unknown> }) =>
  new InvalidRequestError(
    `${path} was cut off or altered: nothing of it is restored. Use another backup.`,
    options,
  );

const notOurs = (path: string) => new InvalidRequestError(`${path} is no backup of a deployer.`);
