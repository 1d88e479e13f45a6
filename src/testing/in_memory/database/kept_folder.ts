import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { dirname, join } from "node:path";

/**
 * The migrated data folder of the embedded server, kept beside the Python environments: to make it takes several times as
 * long as to read it. Whatever it is made of is in its name, so that none is ever out of date.
 */

const DATABASE = new URL("../../../database/", import.meta.url);
const require = createRequire(import.meta.url);
const KEPT_FOR_MS = 14 * 24 * 3_600_000;

/** Null where none can be read; `keepFolder` says why none is kept. */
export async function keptFolder(schema: URL): Promise<Blob | null> {
  const path = await pathOf(schema);
  const bytes = await readFile(path).catch(() => null);
  return bytes && new Blob([bytes]);
}

/** Where the cache cannot be written, a warning says so, and each start takes its time. */
export async function keepFolder(schema: URL, folder: Blob): Promise<void> {
  const path = await pathOf(schema);
  const scratch = `${path}.${process.pid}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(scratch, folder.stream());
    await rename(scratch, path);
    await removeOld(dirname(path));
  } catch (error) {
    process.emitWarning(
      `The testing kit starts slowly, for it could not keep ${path}: ${String(error)}. Set MODEL_DEPLOYER_CACHE to a folder that can be written.`,
    );
  }
}

/** Removes folders of other versions; a process that still uses such a version makes its folder again. */
async function removeOld(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const path = join(cache, name);
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > KEPT_FOR_MS) await rm(path, { force: true });
  }
}

async function pathOf(schema: URL): Promise<string> {
  const migrations = new URL("migrations/", DATABASE);
  const names = (await readdir(migrations)).filter((name) => name.endsWith(".sql")).sort();
  const engine = join(dirname(dirname(require.resolve("@electric-sql/pglite"))), "package.json");
  const parts = [
    schema,
    engine,
    new URL("least_rights.sql", DATABASE),
    ...names.map((name) => new URL(name, migrations)),
  ];
  const hash = createHash("sha256");
  // By their names too: a database says which migrations it has by these.
  hash.update(names.join());
  for (const part of parts) hash.update(await readFile(part));
  const cache = process.env["MODEL_DEPLOYER_CACHE"] ?? join(homedir(), ".cache", "model-deployer");
  return join(cache, "testing", `${hash.digest("hex").slice(0, 24)}.tar`);
}
