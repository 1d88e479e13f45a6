import { cp, mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { EnvoyRouter } from "../../../../src/mlops/envoy/envoy_router.ts";
import { ensureToolsEnvironment } from "../../../../src/platform/python/python_environment.ts";
import { stopProcess } from "../../../../src/platform/processes/managed_process.ts";
import type { TestServices } from "../../../support/services/test_services.ts";

const CALL_MS = 30_000;

/** A real router whose files can be put back to what they were; its Envoys then begin anew with these. */
export class RestorableEnvoy {
  readonly home: string;
  readonly binary: string;
  readonly router: EnvoyRouter;
  readonly #scratch: string;
  #kept = 0;

  private constructor(scratch: string, home: string, binary: string) {
    this.#scratch = scratch;
    this.home = home;
    this.binary = binary;
    this.router = new EnvoyRouter({ home: this.home, envoyPath: binary });
  }

  /** In a home of its own, unless one is given, which then stays. */
  static async create(
    { cacheDirectory }: Pick<TestServices, "cacheDirectory">,
    home?: string,
  ): Promise<RestorableEnvoy> {
    const { envoy } = await ensureToolsEnvironment({ cacheDirectory });
    const scratch = await mkdtemp(join(tmpdir(), "crash-envoy-"));
    return new RestorableEnvoy(scratch, home ?? join(scratch, "home"), envoy);
  }

  /** Processes, and the logs and locks that belong to them, are no part of it. @returns where it is kept */
  async keep(): Promise<string> {
    const kept = join(this.#scratch, `kept-${++this.#kept}`);
    await mkdir(join(this.home, "router"), { recursive: true });
    await cp(join(this.home, "router"), join(kept, "router"), {
      recursive: true,
      filter: (path) => !isOfAProcess(relative(this.home, path)),
    });
    return kept;
  }

  async restore(kept: string): Promise<void> {
    await this.#end();
    await rm(join(this.home, "router"), { recursive: true, force: true });
    await cp(kept, this.home, { recursive: true });
    for (const name of await this.#endpoints())
      await this.router.open(name, { signal: AbortSignal.timeout(CALL_MS) });
  }

  async close(): Promise<void> {
    await this.#end();
    await rm(this.#scratch, { recursive: true, force: true });
  }

  #endpoints(): Promise<string[]> {
    return readdir(join(this.home, "router")).catch(() => []);
  }

  async #end(): Promise<void> {
    for (const name of await this.#endpoints()) {
      await stopProcess(join(this.home, "router", name, "run"), "envoy", { graceMs: 0 });
      await this.router.close(name, { signal: AbortSignal.timeout(CALL_MS) });
    }
  }
}

function isOfAProcess(path: string): boolean {
  const [, , entry] = path.split("/");
  return entry === "run" || entry === "admin.sock";
}
