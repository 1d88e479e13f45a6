import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { childEnvironment } from "../../src/platform/processes/child_environment.ts";
import {
  ensureModelEnvironment,
  ensureToolsEnvironment,
} from "../../src/platform/python/python_environment.ts";
import { stopHome } from "../../src/platform/processes/homes/stop_home.ts";
import type { Configuration } from "../../src/wiring/settings/configuration.ts";
import { ensurePeerEnvironment } from "./environments.ts";
import { measureArms, memoryOf, scenariosOf } from "./measured.ts";
import { type Peer, peers } from "./peers.ts";
import { printServed } from "./table.ts";
import { type Served, startOwn, startPeer, type Workplace } from "./servers.ts";
import { type Opened, runInHome } from "../support/home.ts";
import { option, printMachine, say } from "../support/report.ts";

/**
 * What serving a model costs, ours and that of others, side by side: CPU of all the server's processes, and what its
 * callers see. A peer that cannot be installed or does not answer is named with the reason.
 *
 * usage: node bench/serving/main.ts [--peers=floor,kserve] [--models=linear,wide] [--rounds=3] [--seconds=2]
 */
const ROUNDS = option("rounds", 3);
const SECONDS = option("seconds", 2);
const MOST_ROWS = 1000;
/** By name: the kind of model and its columns. */
const MODELS = new Map<string, [string, number]>([
  ["linear", ["linear", 30]],
  ["forest", ["forest", 30]],
  ["boosted", ["boosted", 30]],
  ["wide", ["linear", 600]],
]);
const REQUIREMENTS = [
  "mlflow==3.17.2",
  "scikit-learn==1.9.1",
  "skops==0.16.0",
  "pandas==2.3.3",
  "numpy==2.4.6",
];
const trainScript = fileURLToPath(new URL("./peers/train.py", import.meta.url));

/** Those that `--name=part,part` names, all without it. */
function chosen(name: string, known: readonly string[]): string[] {
  const given = process.argv.find((one) => one.startsWith(`--${name}=`))?.slice(name.length + 3);
  if (given === undefined) return [...known];
  const parts = given
    .toLowerCase()
    .split(",")
    .filter((part) => part !== "");
  const stray = parts.find((part) => !known.some((one) => one.toLowerCase().includes(part)));
  if (stray !== undefined) throw new RangeError(`--${name}: "${stray}" is none of: ${known.join("; ")}`);
  return known.filter((one) => parts.some((part) => one.toLowerCase().includes(part)));
}

/** A fixed sequence, so that every server is asked the same. */
function rowsOf(columns: number): number[][] {
  let state = 1;
  const next = () => {
    state = (state * 48271) % 2147483647;
    return (state / 2147483647) * 4 - 2;
  };
  return Array.from({ length: MOST_ROWS }, () => Array.from({ length: columns }, next));
}

function reasonOf(error: unknown): string {
  const told = error instanceof Error ? error.message : String(error);
  return told.replaceAll(/\s+/g, " ").slice(0, 300);
}

class Bench {
  readonly #place: Workplace;
  readonly #missing: Map<string, string>;

  constructor(place: Workplace, missing: Map<string, string>) {
    this.#place = place;
    this.#missing = missing;
  }

  /** The programs of each peer that can be installed. */
  async environments(wanted: readonly Peer[]): Promise<Map<Peer, string>> {
    const { cacheDirectory, tools } = this.#place;
    const bins = new Map<Peer, string>();
    for (const peer of wanted) {
      await ensurePeerEnvironment(peer.requirements, { cacheDirectory, uv: tools.uv }).then(
        (bin) => bins.set(peer, bin),
        (error: unknown) => this.#missing.set(peer.name, `not installed: ${reasonOf(error)}`),
      );
    }
    return bins;
  }

  async train(name: string, kind: string, columns: number): Promise<string> {
    const { home, cacheDirectory, tools } = this.#place;
    const { python } = await ensureModelEnvironment({
      cacheDirectory,
      uv: tools.uv,
      requirements: REQUIREMENTS,
    });
    const directory = join(home, "models", name);
    await mkdir(directory, { recursive: true });
    await execa(python, [trainScript, directory, kind, String(columns), ...REQUIREMENTS], {
      cwd: directory,
      env: childEnvironment({ MLFLOW_DISABLE_TELEMETRY: "true", MLFLOW_LOGGING_LEVEL: "ERROR" }),
      extendEnv: false,
      timeout: 600_000,
    });
    return directory;
  }

  async serve(
    bins: Map<Peer, string>,
    name: string,
    trained: string,
    row: readonly number[],
  ): Promise<Served[]> {
    const served = [await startOwn(name, trained, row, this.#place)];
    for (const [peer, bin] of bins) {
      await startPeer(peer, { bin, trained, row }, this.#place).then(
        (one) => served.push(one),
        (error: unknown) => this.#missing.set(`${peer.name}, ${name}`, reasonOf(error)),
      );
    }
    return served;
  }
}

async function measure(configuration: Configuration, opened: Opened): Promise<void> {
  const { home, cache: cacheDirectory } = configuration;
  const tools = await ensureToolsEnvironment({ cacheDirectory });
  const missing = new Map<string, string>();
  const wanted = chosen(
    "peers",
    peers.map(({ name }) => name),
  );
  const models = chosen("models", [...MODELS.keys()]);
  const bench = new Bench({ home, cacheDirectory, tools, opened }, missing);
  const bins = await bench.environments(peers.filter(({ name }) => wanted.includes(name)));
  say(`medians of ${ROUNDS} rounds of ${SECONDS} s in turn; one BLAS and OpenMP thread each`);
  for (const name of models) {
    const [kind, columns] = MODELS.get(name) ?? ["linear", 30];
    const rows = rowsOf(columns);
    const servers: Opened = { closers: [] };
    opened.closers.push(async () => {
      for (const close of servers.closers.splice(0).reverse()) await close();
    });
    const own = new Bench({ home, cacheDirectory, tools, opened: servers }, missing);
    const served = await own.serve(bins, name, await bench.train(name, kind, columns), rows[0] ?? []);
    const measured = await measureArms(served, rows, scenariosOf(SECONDS), ROUNDS);
    say(`\n${name}, ${columns} columns: CPU ms a request`);
    printServed(served, measured, await memoryOf(served));
    for (const close of servers.closers.splice(0).reverse()) await close();
    await stopHome(home);
  }
  for (const [peer, reason] of missing) say(`\nnot measured: ${peer}: ${reason}`);
  printMachine();
}

await runInHome(measure);
