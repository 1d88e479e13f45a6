import { readFile } from "node:fs/promises";
import type { PGliteOptions } from "@electric-sql/pglite";
import { ConfigurationError } from "../../../agents/model_deployer/errors.ts";
import { keepFolder, keptFolder } from "./kept_folder.ts";
import { hasCode } from "../../../platform/system_errors.ts";

/** Statements for a new server, before the migrations. */
export const SCHEMA = new URL("./kit_schema.sql", import.meta.url);

export interface EmbeddedServer {
  /** Answers whole messages of Postgres' protocol. */
  send(messages: Buffer): Promise<Buffer>;
  /** A new server has `kit_schema.sql` and no tables; another one has the tables that were kept. */
  isNew: boolean;
  /** Keeps the data folder, so that later starts begin with the tables of now. */
  keep(): Promise<void>;
}

/** A write-ahead log in segments of 1 MB makes a folder that is read sooner. */
const INITDB = ["--wal-segsize=1"];

const SETTINGS = {
  // The buffers are touched whole at the start, and the files behind them are in memory anyway.
  shared_buffers: "16MB",
  search_path: "deployer,pg_catalog",
  // To plan anew for each statement's values takes longer than what the better plan saves.
  plan_cache_mode: "force_generic_plan",
  // Progress logging needs a timer, which would keep a finished script alive.
  log_startup_progress_interval: "0",
  // A server that ends with the process needs no log to recover from.
  wal_level: "minimal",
  max_wal_senders: "0",
  full_page_writes: "off",
  max_wal_size: "2MB",
  min_wal_size: "2MB",
};

/** @throws ConfigurationError where the engine is not installed */
export async function startEmbeddedServer(): Promise<EmbeddedServer> {
  const { PGlite } = await loadEngine();
  const settings = Object.entries(SETTINGS).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const options: PGliteOptions = { startParams: [...PGlite.defaultStartParams, ...settings] };
  const folder = await keptFolder(SCHEMA);
  const server = await PGlite.create(
    folder === null ? { ...options, initDbStartParams: INITDB } : { ...options, loadDataDir: folder },
  );
  if (folder === null) {
    // Only who makes databases needs the templates, which are half of the folder.
    for (const name of ["template0", "template1"]) {
      await server.exec(`update pg_database set datistemplate = false where datname = '${name}'`);
      await server.exec(`drop database ${name}`);
    }
    await server.exec(await readFile(SCHEMA, "utf8"));
  }
  return {
    send: async (messages) => {
      const answer: Buffer[] = [];
      // A piece is copied, for the next one overwrites the memory that it lies in.
      const onRawData = (piece: Uint8Array) => answer.push(Buffer.from(piece));
      await server.execProtocolRawStream(messages, { syncToFs: false, onRawData });
      return Buffer.concat(answer);
    },
    isNew: folder === null,
    keep: async () => {
      await server.exec("checkpoint");
      await keepFolder(SCHEMA, await server.dumpDataDir("none"));
    },
  };
}

async function loadEngine() {
  try {
    return await import("@electric-sql/pglite");
  } catch (cause) {
    if (!hasCode(cause, "ERR_MODULE_NOT_FOUND")) throw cause;
    throw new ConfigurationError(
      "@electric-sql/pglite is not installed, which the testing kit keeps its database in: npm install --save-dev @electric-sql/pglite",
      { cause },
    );
  }
}
