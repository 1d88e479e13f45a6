import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { build } from "vite";
import { z } from "zod";
import { createDatabase } from "../../src/database/index.ts";
import { startLocalServices } from "../../src/platform/services/local_services.ts";
import type { Configuration } from "../../src/wiring/settings/configuration.ts";
import { openBrowser } from "../../tests/support/console/browser.ts";
import { type Opened, runInHome } from "../support/home.ts";
import { option, say } from "../support/report.ts";
import { fillInstallation, lookAtRollouts, moveWeights, TOKEN } from "./full_installation.ts";
import { type Measured, report } from "./report.ts";
import { type View, WatchedPage } from "./watched_page.ts";

/**
 * The console's page over many endpoints, each with a rollout under way: a real Postgres, the API in a process of its own,
 * the built page in a real Chromium; servers and routers answer at once. How soon a change of a row is on screen, how long
 * the page's tasks are, what a change costs page and API, and how much is sent for it.
 *
 * usage: node bench/console/main.ts [--endpoints=200] [--waiting=12] [--seconds=20] [--opens=3]
 */
const ENDPOINTS = option("endpoints", 200);
const WAITING = option("waiting", 12);
const SECONDS = option("seconds", 20);
const OPENS = option("opens", 3);

interface Bench {
  sql: pg.Client;
  watched: WatchedPage;
  apiCpu: () => Promise<number>;
}

async function measure({ home, cache }: Configuration, opened: Opened): Promise<void> {
  const need = { postgres: true, redis: false, mlflow: false };
  const started = await startLocalServices({ homeDirectory: home, cacheDirectory: cache, need });
  const url = started.databaseOwnerUrl ?? "";
  const database = createDatabase({ url, holder: "bench" });
  opened.closers.push(() => database.close());
  await database.migrate({ installation: "standard" });
  const sql = new pg.Client({ connectionString: url });
  await sql.connect();
  opened.closers.push(() => sql.end());
  say(`${ENDPOINTS} endpoints, ${WAITING} waiting approvals`);
  await fillInstallation(sql, database, { endpoints: ENDPOINTS, waiting: WAITING });
  const api = await serveApi(url, opened);
  const opening = await openBrowser();
  opened.closers.push(() => opening.close());
  const { browser } = opening;
  const views: View[] = [];
  for (let open = 1; open < OPENS; open += 1) {
    const { watched, ...view } = await WatchedPage.open(browser, api.address, ENDPOINTS);
    views.push(view);
    await watched.close();
  }
  const { watched, ...view } = await WatchedPage.open(browser, api.address, ENDPOINTS);
  views.push(view);
  const bench = { sql, watched, apiCpu: api.cpu };
  const rows = [
    await quiet(bench),
    await oneAtATime(bench),
    await lookedAt(bench, "all looked at each second", {}),
    await allMove(bench, "all weights each second", {}),
    await lookedAt(bench, "all looked at each second, scrolling", { scrolls: true }),
    await allMove(bench, "all weights each second, scrolling", { scrolls: true }),
  ];
  await watched.page.goto(`${api.address.replace(/#.*/, "")}#/endpoints/${TOP}`);
  await watched.page.getByRole("img", { name: /Traffic over time/ }).waitFor();
  rows.push(await lookedAt(bench, "its own view, all looked at each second", {}));
  await watched.close();
  report(views, rows);
}

/** The API with the built page, in a process of its own. */
async function serveApi(url: string, opened: Opened) {
  const page = await mkdtemp(join(tmpdir(), "bench-console-"));
  opened.closers.push(() => rm(page, { recursive: true, force: true }));
  await build({ configFile: "console/vite.config.ts", logLevel: "warn", build: { outDir: page } });
  const child = fork(fileURLToPath(new URL("served_api.ts", import.meta.url)), [url, page]);
  opened.closers.push(async () => {
    const ended = once(child, "exit");
    child.disconnect();
    await ended;
  });
  const answer = async (): Promise<unknown> => {
    const message: unknown[] = await once(child, "message");
    return message[0];
  };
  const { url: served } = z.object({ url: z.string() }).parse(await answer());
  const cpu = async () => {
    const answered = answer();
    child.send("cpu");
    return z.object({ cpuMs: z.number() }).parse(await answered).cpuMs;
  };
  return { address: `${served}/#token=${TOKEN}`, cpu };
}

const quiet = (bench: Bench) => measured(bench, "nothing changes", 0, () => delay(SECONDS * 1000));

/** A weight of the endpoint on top, twice a second. */
async function oneAtATime(bench: Bench): Promise<Measured> {
  const written = new Map<string, number>();
  const changes = SECONDS * 2;
  const work = async () => {
    await eachSecond(changes, 500, async (index) => {
      await move(bench, written, { from: 1, to: 1, weight: 11 + (index % 80) });
    });
  };
  return withLatencies(bench, written, () => measured(bench, "one weight, twice a second", changes, work));
}

/** Each rollout is looked at once a second, as by a worker; a weight on top changes beside. */
async function lookedAt(bench: Bench, name: string, { scrolls = false }): Promise<Measured> {
  const written = new Map<string, number>();
  const work = () =>
    eachSecond(SECONDS, 1000, async (index) => {
      await lookAtRollouts(bench.sql, ENDPOINTS);
      await move(bench, written, { from: 1, to: 1, weight: 11 + ((index * 7) % 80) });
    });
  return withLatencies(bench, written, () => measured(bench, name, SECONDS * ENDPOINTS, work, scrolls));
}

/** The weights of all endpoints each second. */
async function allMove(bench: Bench, name: string, { scrolls = false }): Promise<Measured> {
  const written = new Map<string, number>();
  const work = () =>
    eachSecond(SECONDS, 1000, (index) =>
      move(bench, written, { from: 1, to: ENDPOINTS, weight: 12 + ((index * 7) % 80) }),
    );
  return withLatencies(bench, written, () => measured(bench, name, SECONDS * ENDPOINTS, work, scrolls));
}

async function move(
  { sql }: Bench,
  written: Map<string, number>,
  moved: { from: number; to: number; weight: number },
): Promise<void> {
  written.set(String(moved.weight), await moveWeights(sql, moved));
}

const TOP = "endpoint_1";

async function withLatencies(
  bench: Bench,
  written: Map<string, number>,
  run: () => Promise<Measured>,
): Promise<Measured> {
  await bench.watched.watch(TOP);
  const found = await run();
  const seen = await bench.watched.seen();
  const latencies = [...written].flatMap(([weight, at]) => {
    const drawn = seen.get(weight);
    return drawn === undefined ? [] : [drawn - at];
  });
  return { ...found, latencies };
}

async function measured(
  bench: Bench,
  name: string,
  changes: number,
  work: () => Promise<unknown>,
  scrolls = false,
): Promise<Measured> {
  const before = await bench.apiCpu();
  const stretch = await bench.watched.during(() => (scrolls ? whileScrolling(bench, work) : work()), {
    frames: scrolls,
  });
  return { name, changes, stretch, apiCpuMs: (await bench.apiCpu()) - before, latencies: [] };
}

async function whileScrolling({ watched: { page } }: Bench, work: () => Promise<unknown>): Promise<void> {
  await page.mouse.move(600, 500);
  let isOver = false;
  const working = work().finally(() => {
    isOver = true;
  });
  for (let turn = 0; !isOver; turn += 1) {
    await page.mouse.wheel(0, turn % 200 < 100 ? 120 : -120);
    await delay(16);
  }
  await working;
}

async function eachSecond(
  rounds: number,
  everyMs: number,
  act: (index: number) => Promise<void>,
): Promise<void> {
  const begun = performance.now();
  for (let index = 0; index < rounds; index += 1) {
    await act(index);
    await delay(Math.max(0, begun + (index + 1) * everyMs - performance.now()));
  }
}

await runInHome(measure);
