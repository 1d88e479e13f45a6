import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { execa } from "execa";
import { findFreePort } from "../../../src/platform/free_port.ts";
import { startProcess } from "../../../src/platform/processes/managed_process.ts";
import { throwAwayWithProcess } from "../../../src/platform/processes/homes/throwaway_home.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { unpackedPackages } from "./debian_packages.ts";

/** The one on the path, or Debian's in the cache. @returns its command, or in place of it why there is none */
export async function findPrometheus(cacheDirectory: string): Promise<{ command: string } | string> {
  const installed = await execa("prometheus", ["--version"], { reject: false });
  if (!installed.failed) return { command: "prometheus" };
  await mkdir(cacheDirectory, { recursive: true });
  const place = join(cacheDirectory, "prometheus");
  const complaint = await unpackedPackages(place, ["prometheus"]);
  if (complaint !== null) return complaint;
  const command = join(place, "usr", "bin", "prometheus");
  const runs = await execa(command, ["--version"], { reject: false });
  return runs.failed ? `Debian's prometheus does not run here: ${runs.shortMessage}` : { command };
}

export interface Prometheus {
  url: string;
  stop(): Promise<void>;
}

/** A real server that reads each second what the application counts. Goes with this process. */
export async function startPrometheus(command: string, application: string): Promise<Prometheus> {
  const home = await mkdtemp(join(tmpdir(), "model-deployer-prometheus-"));
  const stop = throwAwayWithProcess(home);
  const port = await findFreePort();
  const settings = {
    global: { scrape_interval: "1s" },
    scrape_configs: [{ job_name: "application", static_configs: [{ targets: [application] }] }],
  };
  await writeFile(join(home, "prometheus.yml"), JSON.stringify(settings));
  await startProcess({
    name: "prometheus",
    runDirectory: join(home, "run"),
    command,
    args: [
      `--config.file=${join(home, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(home, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    env: {},
    workingDirectory: home,
  });
  const url = `http://127.0.0.1:${port}`;
  const isReady = () =>
    fetch(`${url}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  await pollUntil(isReady, { deadlineMs: 120_000, what: "Prometheus is ready" });
  return { url, stop };
}

/** Counters that an application shows, as Prometheus reads them. */
export class Application {
  readonly #counts = new Map<string, number>();
  readonly #server = createServer((_, answer) => {
    const lines = [...this.#counts].map(([series, count]) => `${series} ${count}\n`);
    answer.setHeader("content-type", "text/plain; version=0.0.4").end(lines.join(""));
  });

  /** @returns `host:port` */
  async listen(): Promise<string> {
    const port = await findFreePort();
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    return `127.0.0.1:${port}`;
  }

  /** @param series such as `flagged_total{deployment="d1"}` */
  count(series: string, more = 1): void {
    this.#counts.set(series, (this.#counts.get(series) ?? 0) + more);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
