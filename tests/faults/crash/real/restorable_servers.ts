import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { BentoMLServer } from "../../../../src/mlops/bentoml/server.ts";
import { stopProcess } from "../../../../src/platform/processes/managed_process.ts";
import type { RealTools } from "./real_parts.ts";

/** Servers that run, and all files that the packager and the fetched artifacts take. */
export interface ServersMoment {
  running: string[];
  /** Where the servers' records are kept. */
  records: string;
  /** Paths below the home of bentos and artifacts. */
  files: Set<string>;
}

const CALL_MS = 240_000;
const recordSchema = z.object({ bento_tag: z.string() });
/** Asked for and not enforced here. */
const resources = {
  replicas: 1,
  cpu_limit: "1",
  memory_limit: "1Gi",
  autoscaling: { min: 1, max: 1, target_cpu: 70 },
};

/** The real servers and bentos of a home, which can be put back to what they were; those that serve go on serving. */
export class RestorableServers {
  readonly server: BentoMLServer;
  readonly #home: string;
  readonly #scratch: string;
  #kept = 0;

  private constructor(home: string, scratch: string, server: BentoMLServer) {
    this.#home = home;
    this.#scratch = scratch;
    this.server = server;
  }

  static async create(home: string, tools: RealTools): Promise<RestorableServers> {
    const { cache, uv } = tools;
    const server = new BentoMLServer({
      home: join(home, "bentoml"),
      runDirectory: join(home, "run"),
      cacheDirectory: cache,
      uv,
    });
    return new RestorableServers(home, await mkdtemp(join(tmpdir(), "crash-servers-")), server);
  }

  async keep(): Promise<ServersMoment> {
    const records = join(this.#scratch, `records-${++this.#kept}`);
    await cp(this.#records, records, { recursive: true }).catch(ignoreMissing);
    return { running: await this.server.list(), records, files: new Set(await this.#files()) };
  }

  async restore({ running, records, files }: ServersMoment): Promise<void> {
    for (const id of await this.server.list()) {
      const isTheSame = (await recordIn(records, id)) === (await recordIn(this.#records, id));
      if (!running.includes(id) || !isTheSame) await this.#end(id);
    }
    await rm(this.#records, { recursive: true, force: true });
    await cp(records, this.#records, { recursive: true }).catch(ignoreMissing);
    for (const path of await this.#files()) {
      if (!files.has(path)) await rm(join(this.#home, path), { recursive: true, force: true });
    }
    for (const deployment_id of running) {
      const { bento_tag } = recordSchema.parse(JSON.parse(await recordIn(this.#records, deployment_id)));
      const options = { signal: AbortSignal.timeout(CALL_MS) };
      await this.server.start({ deployment_id, bento_tag, resources }, options);
    }
  }

  async close(): Promise<void> {
    for (const id of await this.server.list()) await this.#end(id);
    await this.server.close();
    await rm(this.#scratch, { recursive: true, force: true });
  }

  get #records(): string {
    return join(this.#home, "run", "servers");
  }

  async #end(id: string): Promise<void> {
    await stopProcess(join(this.#home, "run"), `bento-${id}`, { graceMs: 0 });
  }

  /** Bentos as a whole, and each fetched artifact. */
  async #files(): Promise<string[]> {
    const names = await readdir(join(this.#home, "bentoml", "bentos")).catch(() => []);
    const places = ["artifacts", "bentoml/scratch", ...names.map((name) => `bentoml/bentos/${name}`)];
    const found = places.map(async (place) =>
      (await readdir(join(this.#home, place)).catch(() => [])).map((entry) => `${place}/${entry}`),
    );
    return (await Promise.all(found)).flat();
  }
}

/** Tells one start of a server from another. */
function recordIn(folder: string, deploymentId: string): Promise<string> {
  return readFile(join(folder, `${deploymentId}.json`), "utf8").catch(() => "");
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
}
