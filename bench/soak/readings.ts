import { readdir } from "node:fs/promises";
import pg from "pg";
import { usageOfPaths } from "../../src/platform/disk/disk_usage.ts";
import { withDescendants } from "../../src/platform/processes/process_record.ts";
import { readProcessTable } from "../../src/platform/processes/process_table.ts";
import { runningParts } from "../../src/platform/processes/homes/stop_home.ts";
import { sharedOutMegabytes } from "../serving/processes.ts";

const MEBIBYTE = 1024 ** 2;

/** What the deployer holds at one moment; sizes in MiB. */
export interface Reading {
  minutes: number;
  releases: number;
  sent: number;
  lost: number;
  workerMemory: number;
  workerFiles: number;
  /** Of the largest router. */
  routerMemory: number;
  routerFiles: number;
  servers: number;
  serverMemory: number;
  disk: number;
  database: number;
  rows: number;
}

export type Held = Omit<Reading, "minutes" | "releases" | "sent" | "lost">;

/** Reads processes by /proc, the home by its files and the database by counting. */
export class HeldThings {
  readonly #home: string;
  readonly #workerPid: number;
  readonly #pool: pg.Pool;

  constructor({ home, workerPid, databaseUrl }: { home: string; workerPid: number; databaseUrl: string }) {
    this.#home = home;
    this.#workerPid = workerPid;
    this.#pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  }

  async read(): Promise<Held> {
    const parts = await runningParts(this.#home);
    const pidsOf = (kind: string) => parts.filter((one) => one.kind === kind).map((one) => one.process);
    const [routers, servers] = [pidsOf("router"), pidsOf("server")];
    const { bytes } = await usageOfPaths([this.#home]);
    return {
      workerMemory: await sharedOutMegabytes([this.#workerPid]),
      workerFiles: await filesOf(this.#workerPid),
      routerMemory: Math.max(0, ...(await Promise.all(routers.map((pid) => sharedOutMegabytes([pid]))))),
      routerFiles: Math.max(0, ...(await Promise.all(routers.map(filesOf)))),
      servers: servers.length,
      serverMemory: await memoryOfAll(servers),
      disk: bytes / MEBIBYTE,
      ...(await this.#databaseSize()),
    };
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #databaseSize(): Promise<Pick<Held, "database" | "rows">> {
    const { rows: tables } = await this.#pool.query<{ name: string }>(
      "select tablename as name from pg_tables where schemaname = 'public' and tablename like 'ml\\_%'",
    );
    const counts = tables.map(({ name }) => `(select count(*) from ${pg.escapeIdentifier(name)})`);
    const { rows } = await this.#pool.query<{ size: string; rows: string }>(
      `select pg_database_size(current_database()) as size, ${counts.join(" + ")} as rows`,
    );
    return { database: Number(rows[0]?.size) / MEBIBYTE, rows: Number(rows[0]?.rows) };
  }
}

/** MiB, with what they have started: a server stands behind the program that contains it. */
async function memoryOfAll(pids: readonly number[]): Promise<number> {
  const table = await readProcessTable();
  const roots = table.filter(({ pid }) => pids.includes(pid));
  return sharedOutMegabytes(withDescendants(table, roots).map(({ pid }) => pid));
}

async function filesOf(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`).catch(() => [])).length;
}
