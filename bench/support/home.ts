import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { type Configuration, readConfiguration } from "../../src/wiring/settings/configuration.ts";
import { stopHome } from "../../src/platform/processes/homes/stop_home.ts";

/** Resources that a benchmark opens and has to close, last opened first. */
export interface Opened {
  closers: (() => Promise<unknown>)[];
}

/**
 * Runs a benchmark in a home of its own, with embedded services whatever the environment names; however it ends, its
 * processes end and the home is removed. The exit code is that of the benchmark.
 */
export async function runInHome(
  work: (configuration: Configuration, opened: Opened) => Promise<void>,
): Promise<never> {
  const home = await mkdtemp(join(tmpdir(), "model-deployer-bench-"));
  const { MODEL_DEPLOYER_CACHE } = process.env;
  const configuration = { ...readConfiguration({ MODEL_DEPLOYER_CACHE }), home };
  const opened: Opened = { closers: [] };
  const interrupted = new Promise<number>((resolve) => {
    process.once("SIGINT", () => {
      resolve(130);
    });
    process.once("SIGTERM", () => {
      resolve(143);
    });
  });
  try {
    const measured = work(configuration, opened).then(() => process.exitCode ?? 0);
    process.exitCode = await Promise.race([measured, interrupted]);
  } catch (error) {
    process.exitCode = 1;
    process.stderr.write(`${inspect(error)}\n`);
  } finally {
    for (const close of opened.closers.reverse()) await close();
    await stopHome(home);
    await rm(home, { recursive: true, force: true });
  }
  process.exit();
}
