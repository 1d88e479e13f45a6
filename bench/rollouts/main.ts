import pg from "pg";
import type { Configuration } from "../../src/wiring/settings/configuration.ts";
import { createDatabase } from "../../src/database/index.ts";
import { startLocalServices } from "../../src/platform/services/local_services.ts";
import { seedRollouts } from "./seed.ts";
import { workerOver } from "./worker.ts";
import { median, percentile } from "../support/figures.ts";
import { type HeldMemory, heldMemory } from "../support/held_memory.ts";
import { type Opened, runInHome } from "../support/home.ts";
import { option, printMachine, printTable, say, share } from "../support/report.ts";

/**
 * One worker over 100, 1,000 and 10,000 rollouts that are all under way at once: a real Postgres, servers and a router that
 * answer at once. Each number of rollouts has a database of its own and a worker of its own, in one process.
 *
 * With `--moving`, that share of them has a step due at each look: it takes its steps and is completed, or goes back. These
 * moves are printed apart.
 *
 * usage: node bench/rollouts/main.ts [--seconds=20] [--least=100] [--most=10000] [--sample=1000] [--moving=0.05]
 */
const SECONDS = option("seconds", 20);
const MOST = option("most", 10_000);
const LEAST = option("least", 100);
/** Looks between two samples of the memory. */
const SAMPLE_LOOKS = option("sample", 1000);
const MOVING = share("moving", 0);

interface Measured {
  rollouts: number;
  ticks: number[];
  looks: number;
  queries: number;
  /** Overdue by, in seconds, of every rollout when the time was over. */
  lag: number[];
  memory: Sample[];
  /** How long each move took, ms. */
  moves: number[];
  /** Changes of traffic, and ended rollouts by their outcome. */
  moved: { changes: number; completed: number; rolled_back: number };
}

interface Sample extends HeldMemory {
  looks: number;
}

const sample = (looks: number): Sample => ({ looks, ...heldMemory() });

/** Statements that any client of this process has sent. */
let queries = 0;
const send: unknown = Reflect.get(pg.Client.prototype, "query");
Reflect.set(pg.Client.prototype, "query", function (this: pg.Client, ...values: unknown[]): unknown {
  queries += 1;
  const sent: unknown = typeof send === "function" ? Reflect.apply(send, this, values) : undefined;
  return sent;
});

async function measure(configuration: Configuration, opened: Opened): Promise<void> {
  say("bringing up Postgres");
  const { databaseUrl = "" } = await startLocalServices({
    homeDirectory: configuration.home,
    cacheDirectory: configuration.cache,
    need: { postgres: true, redis: false, mlflow: false },
  });
  const measured: Measured[] = [];
  for (const rollouts of [100, 1000, 10_000].filter((number) => number >= LEAST && number <= MOST)) {
    say(`${rollouts} rollouts, for ${SECONDS} s`);
    measured.push(await run(databaseUrl, rollouts, opened));
  }
  report(measured);
}

async function run(serverUrl: string, rollouts: number, opened: Opened): Promise<Measured> {
  const url = await newDatabase(serverUrl, `rollouts_${rollouts}`);
  const database = createDatabase({ url, holder: "bench" });
  opened.closers.push(() => database.close());
  await database.migrate({ installation: "standard" });
  const sql = new pg.Client({ connectionString: url });
  await sql.connect();
  const moving = Math.round(rollouts * MOVING);
  await seedRollouts(sql, rollouts, moving);
  const moved = { changes: 0, completed: 0, rolled_back: 0 };
  const found: Measured = {
    rollouts,
    ticks: [],
    looks: 0,
    queries: 0,
    lag: [],
    memory: [],
    moves: [],
    moved,
  };
  let last = performance.now();
  const worker = workerOver(database, moving, (ms) => found.moves.push(ms));
  const sent = queries;
  await worker.run({
    signal: AbortSignal.timeout(SECONDS * 1000),
    onTick: (ticked) => {
      if (ticked.problems.length > 0) say(ticked.problems.join("\n"));
      const now = performance.now();
      if (ticked.rollouts.length > 0) found.ticks.push(now - last);
      found.looks += ticked.rollouts.length;
      if (found.looks >= found.memory.length * SAMPLE_LOOKS) found.memory.push(sample(found.looks));
      last = performance.now();
    },
  });
  found.queries = queries - sent;
  await readEnd(sql, found);
  await sql.end();
  await database.close();
  return found;
}

/** The address of an empty database on that server. */
async function newDatabase(serverUrl: string, name: string): Promise<string> {
  const admin = new pg.Client({ connectionString: serverUrl });
  await admin.connect();
  await admin.query(`create database ${name}`);
  await admin.end();
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

/** The database's state when the time is over. */
async function readEnd(sql: pg.Client, found: Measured): Promise<void> {
  const { rows } = await sql.query<{ lag: number }>(
    "select greatest(0, extract(epoch from clock_timestamp() - next_tick_at))::float8 as lag from ml_rollouts",
  );
  found.lag = rows.map(({ lag }) => lag);
  const { rows: counted } = await sql.query<Measured["moved"]>(
    `select (select count(*)::int from ml_traffic_history where generation > 2) as changes,
       count(*) filter (where status = 'completed')::int as completed,
       count(*) filter (where status = 'rolled_back')::int as rolled_back from ml_rollouts`,
  );
  found.moved = counted[0] ?? found.moved;
}

/** Least squares over the later half, when caches and pools are full: MB for each 1,000 looks. */
function slope(memory: readonly Sample[], of: "heapMb" | "rssMb"): number {
  const later = memory.slice(Math.floor(memory.length / 2));
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(later.map((one) => one.looks / 1000)), mean(later.map((one) => one[of]))];
  const away = later.map((one) => ({ x: one.looks / 1000 - x, y: one[of] - y }));
  const spread = away.reduce((sum, one) => sum + one.x ** 2, 0);
  return spread === 0 ? 0 : away.reduce((sum, one) => sum + one.x * one.y, 0) / spread;
}

function report(measured: readonly Measured[]): void {
  const rows = measured.map(({ rollouts, ticks, looks, queries: sent, lag }) => [
    String(rollouts),
    String(ticks.length),
    looks / ticks.length,
    median(ticks),
    median(ticks) / (looks / ticks.length),
    sent / ticks.length,
    sent / looks,
    looks / SECONDS,
    percentile(lag, 50),
    percentile(lag, 99),
  ]);
  const held = measured.map(({ rollouts, memory }) => {
    const [first, last] = [memory[0], memory.at(-1)];
    const sizes = [first?.heapMb ?? 0, last?.heapMb ?? 0, first?.rssMb ?? 0, last?.rssMb ?? 0];
    return [
      String(rollouts),
      String(memory.length),
      ...sizes,
      slope(memory, "heapMb"),
      slope(memory, "rssMb"),
    ];
  });
  say();
  const heading = ["rollouts", "ticks", "looks/tick", "tick ms", "ms/look", "queries/tick", "queries/look"];
  printTable([...heading, "looks/s", "lag p50 s", "lag p99 s"], rows);
  if (MOVING > 0) reportMoves(measured);
  const sizes = ["heap MB first", "last", "rss MB first", "last"];
  printTable(["rollouts", "samples", ...sizes, "heap MB/1,000 looks", "rss MB/1,000 looks"], held);
  printMachine();
}

/** The looks that moved something, which are among those above. */
function reportMoves(measured: readonly Measured[]): void {
  const rows = measured.map(({ rollouts, moves, moved }) => [
    String(rollouts),
    String(moves.length),
    String(moved.changes),
    String(moved.completed),
    String(moved.rolled_back),
    moves.length / SECONDS,
    percentile(moves, 50),
    percentile(moves, 99),
  ]);
  const heading = ["rollouts", "moves", "changes of traffic", "completed", "rolled back"];
  printTable([...heading, "moves/s", "ms/move p50", "ms/move p99"], rows);
}

await runInHome(measure);
