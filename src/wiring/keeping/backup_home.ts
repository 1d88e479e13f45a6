import { randomUUID } from "node:crypto";
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { z } from "zod";
import { ConflictError, InvalidRequestError } from "../../agents/model_deployer/errors.ts";
import {
  type DatabaseDump,
  databaseDumpSchema,
  dumpDatabase,
  fillDatabase,
} from "../../database/keeping/dump.ts";
import { readArchive, writeArchive } from "../../keeping/backup/backup_archive.ts";
import type { KeepingFacts } from "../../keeping/prunable_store.ts";
import { BentoStore } from "../../mlops/bentoml/packaging/bento_store.ts";
import { assertBuiltFiles } from "../../mlops/bentoml/packaging/built_files.ts";
import { parseBentoTag } from "../../mlops/bentoml/bento_tag.ts";
import { aloneInHome } from "./create_pruner.ts";

const FORMAT = 1;
const manifestSchema = z.strictObject({
  format: z.int(),
  made_at: z.string(),
  database: databaseDumpSchema,
  bentos: z.array(z.string()),
});

export interface BackupSummary {
  file: string;
  bytes: number;
  made_at: string;
  encrypted: boolean;
  rows: number;
  bentos: string[];
  /** Needed, and not in the store: built anew from their artifacts when they are asked for. */
  missing_bentos: string[];
}

export interface BackupRequest {
  home: string;
  /** Of the tables' owner. */
  ownerUrl: string;
  facts: Pick<KeepingFacts, "needed">;
  file: string;
  key: string | null;
  /** Those that are needed, or none. */
  bentos: "needed" | "none";
}

/**
 * Writes database and bentos into one file. The rows are of one moment; no bento is pruned meanwhile, and none changes.
 * @throws ConflictError while a prune or another backup is under way; InvalidRequestError where the file exists
 */
export async function backUpHome(request: BackupRequest): Promise<BackupSummary> {
  if ((await stat(request.file).catch(() => null)) !== null) {
    throw new InvalidRequestError(`${request.file} exists already: name another file, or remove it.`);
  }
  return inScratch(request.home, (scratch) => backUp(request, scratch));
}

async function backUp({ ownerUrl, facts, home, bentos, file, key }: BackupRequest, scratch: string) {
  const made_at = new Date().toISOString();
  const rows = join(scratch, "database");
  await mkdir(rows);
  const database = await dumpDatabase(ownerUrl, rows);
  const wanted = bentos === "none" ? [] : [...new Set((await facts.needed()).map((one) => one.bento_tag))];
  const { present, missing } = await copyBentos(join(home, "bentoml"), wanted, join(scratch, "bentos"));
  const manifest: z.infer<typeof manifestSchema> = { format: FORMAT, made_at, database, bentos: present };
  await writeFile(join(scratch, "manifest.json"), JSON.stringify(manifest, null, 2));
  await writeArchive(scratch, resolve(file), key);
  const { size: bytes } = await stat(file);
  const encrypted = key !== null;
  return {
    file,
    bytes,
    made_at,
    encrypted,
    rows: rowsIn(database),
    bentos: present,
    missing_bentos: missing,
  };
}

/** As links where the file system has them; the archive reads them at once. */
async function copyBentos(store: string, tags: readonly string[], target: string) {
  const bentos = new BentoStore(store);
  const [present, missing]: [string[], string[]] = [[], []];
  for (const text of tags) {
    const tag = parseBentoTag(text);
    const found = await bentos.find(tag);
    if (found === null) missing.push(text);
    else {
      await cp(found.path, join(target, tag.name, tag.version), {
        recursive: true,
        filter: (path) => !path.includes("__pycache__"),
      });
      present.push(text);
    }
  }
  return { present, missing };
}

export interface RestoreRequest {
  home: string;
  ownerUrl: string;
  file: string;
  key: string | null;
  /** The generation that the home's router has in force for an endpoint; null where it has none. */
  observe: (endpointName: string) => Promise<number | null>;
}

export interface RestoreSummary {
  made_at: string;
  rows: number;
  bentos: string[];
  /** Endpoints whose router was ahead of the backup. */
  ahead: string[];
}

/**
 * Brings a backup into an empty database and its home. Nothing is written before the whole archive was read and checked;
 * bentos that are there already stay, servers and routers that run go on.
 * @throws InvalidRequestError for a wrong key and a damaged archive; ConflictError for a home in use; ConfigurationError for
 * a backup of a newer version
 */
export async function restoreHome(request: RestoreRequest): Promise<RestoreSummary> {
  return inScratch(request.home, async (scratch) => {
    await readArchive(resolve(request.file), scratch, request.key);
    const manifest = await readManifest(request.file, scratch);
    const observed = await generations(scratch, request.observe);
    await installBentos(join(request.home, "bentoml"), join(scratch, "bentos"), manifest.bentos);
    await fillDatabase(request.ownerUrl, join(scratch, "database"), manifest.database, observed);
    const { made_at, bentos, database } = manifest;
    return { made_at, rows: rowsIn(database), bentos, ahead: [...observed.keys()] };
  });
}

async function readManifest(file: string, scratch: string): Promise<z.infer<typeof manifestSchema>> {
  const text = await readFile(join(scratch, "manifest.json"), "utf8").catch((cause: unknown) => {
    throw new InvalidRequestError(`${file} is no backup of a deployer.`, { cause });
  });
  const { format } = z.looseObject({ format: z.int() }).parse(JSON.parse(text));
  if (format > FORMAT) {
    throw new InvalidRequestError(
      `${file} has format ${format}, and this version reads ${FORMAT} and older: restore it with the version that made it.`,
    );
  }
  return manifestSchema.parse(JSON.parse(text));
}

/** By endpoint that is in the backup, what its router has in force here. */
async function generations(
  scratch: string,
  observe: RestoreRequest["observe"],
): Promise<Map<string, number>> {
  const path = join(scratch, "database", "deployer.ml_endpoints.copy");
  const lines = (await readFile(path, "utf8").catch(() => "")).split("\n").filter((line) => line !== "");
  const found = new Map<string, number>();
  for (const line of lines) {
    const name = line.split("\t", 1)[0] ?? "";
    const generation = await observe(name);
    if (generation !== null) found.set(name, generation);
  }
  return found;
}

async function installBentos(home: string, folder: string, tags: readonly string[]): Promise<void> {
  const store = new BentoStore(home);
  for (const text of tags) {
    const tag = parseBentoTag(text);
    const installed = await store.install(tag, join(folder, tag.name, tag.version));
    await assertBuiltFiles(installed);
  }
}

const rowsIn = (database: DatabaseDump): number =>
  database.flatMap(({ tables }) => tables).reduce((sum, { rows }) => sum + rows, 0);

/** A folder on the home's disk, while nothing else removes or restores there. What a killed one has left goes first. */
async function inScratch<T>(home: string, work: (scratch: string) => Promise<T>): Promise<T> {
  await mkdir(home, { recursive: true, mode: 0o700 });
  const done = await aloneInHome(home, async () => {
    const parent = join(home, ".backups");
    for (const left of await readdir(parent).catch(() => [])) {
      await rm(join(parent, left), { recursive: true, force: true });
    }
    const scratch = join(parent, randomUUID());
    await mkdir(scratch, { recursive: true, mode: 0o700 });
    try {
      return { result: await work(scratch) };
    } finally {
      await rm(scratch, { recursive: true, force: true, maxRetries: 3 });
    }
  });
  if (done !== null) return done.result;
  throw new ConflictError(
    "A prune, a backup or a restore is under way in this home; nothing was done. Ask again when it is over.",
  );
}
