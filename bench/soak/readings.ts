import pg from "pg";
import { withDescendants } from "../../src/platform/processes/process_record.ts";
import { readProcessTable } from "../../src/platform/processes/process_table.ts";
import { runningParts } from "../../src/platform/processes/homes/stop_home.ts";
import { sharedOutMegabytes } from "../serving/processes.ts";
import { type HeldDatabase, readDatabase } from "./held/database_readings.ts";
import { readFolders } from "./held/home_readings.ts";
import { nativeMegabytes } from "./held/native_memory.ts";
import { countOf, type OpenFiles, openFilesOf, WatchedFiles } from "./held/open_files.ts";
import { type Heap, WorkerHeap } from "./held/worker_heap.ts";

/** What the deployer holds at one moment; sizes in MiB. */
export interface Held {
  /** `mostFiles`: that were open at any moment since the last reading. */
  worker: Heap & { memory: number; native: number; files: OpenFiles; mostFiles: OpenFiles };
  /** Of the largest router. */
  routerMemory: number;
  routerFiles: number;
  servers: number;
  serverMemory: number;
  folders: Record<string, number>;
  database: HeldDatabase;
}

export interface Reading extends Held {
  minutes: number;
  releases: number;
  sent: number;
  lost: number;
}

interface Where {
  home: string;
  worker: { pid: number; heapFile: string };
  databaseUrl: string;
}

/** Reads processes by /proc, the home by its files and the database by counting. */
export class HeldThings {
  readonly #where: Where;
  readonly #heap: WorkerHeap;
  readonly #files: WatchedFiles;
  readonly #pool: pg.Pool;

  constructor(where: Where) {
    this.#where = where;
    this.#heap = new WorkerHeap(where.worker.pid, where.worker.heapFile);
    this.#files = new WatchedFiles(where.worker.pid);
    this.#pool = new pg.Pool({ connectionString: where.databaseUrl, max: 1 });
  }

  async read(): Promise<Held> {
    const { home, worker } = this.#where;
    const parts = await runningParts(home);
    const pidsOf = (kind: string) => parts.filter((one) => one.kind === kind).map((one) => one.process);
    const [routers, servers] = [pidsOf("router"), pidsOf("server")];
    const memory = await sharedOutMegabytes([worker.pid]);
    const routerFiles = (await Promise.all(routers.map(openFilesOf))).map(countOf);
    return {
      worker: {
        memory,
        native: await nativeMegabytes(worker.pid),
        files: await openFilesOf(worker.pid),
        mostFiles: this.#files.takeMost(),
        ...(await this.#heap.read()),
      },
      routerMemory: Math.max(0, ...(await Promise.all(routers.map((pid) => sharedOutMegabytes([pid]))))),
      routerFiles: Math.max(0, ...routerFiles),
      servers: servers.length,
      serverMemory: await memoryOfAll(servers),
      folders: await readFolders(home),
      database: await readDatabase(this.#pool),
    };
  }

  async close(): Promise<void> {
    this.#files.end();
    await this.#pool.end();
  }
}

/** MiB, with what they have started: a server stands behind the program that contains it. */
async function memoryOfAll(pids: readonly number[]): Promise<number> {
  const table = await readProcessTable();
  const roots = table.filter(({ pid }) => pids.includes(pid));
  return sharedOutMegabytes(withDescendants(table, roots).map(({ pid }) => pid));
}
