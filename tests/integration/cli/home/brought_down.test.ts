import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, inject, onTestFinished, test } from "vitest";
import { z } from "zod";
import { mlflowEnvironment } from "../../../../src/wiring/settings/mlflow_settings.ts";
import {
  attendantsOf,
  endAttendants,
  forgetAttendant,
  noteAttendant,
  stoppedUnder,
} from "../../../../src/platform/processes/homes/attendants.ts";
import { serviceRunDirectory, stoppedMark } from "../../../../src/platform/services/local_service.ts";
import { stopHome } from "../../../../src/platform/processes/homes/stop_home.ts";
import { errorViewSchema } from "../../../../src/service/report_schemas.ts";
import { downReportSchema } from "../../../../src/service/machine/machine_schemas.ts";
import { pollUntil } from "../../../../src/testing/poll.ts";
import { program } from "../../../support/given/given_cli.ts";

const LIMIT_MS = 300_000;
const document = z.object({ data: downReportSchema });
const refusal = z.object({ error: errorViewSchema });
const line = z.looseObject({ event: z.string(), message: z.string().optional(), level: z.string() });

async function givenHome(): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), "model-deployer-up-"));
  onTestFinished(async () => {
    await stopHome(home);
    await rm(home, { recursive: true, force: true, maxRetries: 5 });
  });
  return home;
}

/** Postgres is the home's own; the rest is there already. */
const environmentOf = (home: string) => ({
  MODEL_DEPLOYER_HOME: home,
  MODEL_DEPLOYER_CACHE: inject("cacheDirectory"),
  DATABASE_URL: "",
  REDIS_URL: inject("redisUrl"),
  ...mlflowEnvironment(inject("mlflow")),
});

/** A command that serves, with the lines of JSON that it has printed. */
function begun(words: string[], environment: Record<string, string>) {
  const child = spawn(process.execPath, ["src/cli/main.ts", "--json", ...words], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
  const ended = once(child, "close");
  onTestFinished(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const lines = () =>
    printed
      .split("\n")
      .filter((one) => one !== "")
      .map((one) => line.parse(JSON.parse(one)));
  return {
    pid: child.pid,
    hasSaid: (event: string) =>
      pollUntil(async () => lines().some((one) => one.event === event) || null, {
        deadlineMs: LIMIT_MS,
        what: `${event} of ${words.join(" ")}`,
      }),
    ended: async () => {
      await ended;
      return { code: child.exitCode, lines: lines() };
    },
  };
}

test("down ends what serves the home in order before it stops anything, and each says so; up stands alone", async () => {
  const home = await givenHome();
  const environment = environmentOf(home);
  const up = begun(["up", "--port", "0"], environment);
  await up.hasSaid("up");

  const another = await program("", ["up", "--port", "0", "--json"], environment);
  expect(another.code).toBe(5);
  const { error } = refusal.parse(JSON.parse(another.out));
  expect(error).toMatchObject({ code: "conflict", retryable: false });
  expect(error.message).toContain(`up runs in this home already, as process ${up.pid}`);
  const worker = begun(["worker"], environment);
  await worker.hasSaid("started");

  const [one, other] = await Promise.all([
    program("", ["down", "--json"], environment),
    program("", ["down", "--json"], environment),
  ]);
  expect([one.code, other.code]).toEqual([0, 0]);
  const stopped = [one, other].flatMap(({ out }) => document.parse(JSON.parse(out)).data.stopped);
  expect(stopped).toContainEqual({ kind: "command", name: "up", process: up.pid });
  expect(stopped).toContainEqual({ kind: "command", name: "worker", process: worker.pid });

  for (const [name, command] of Object.entries({ up, worker })) {
    const { code, lines } = await command.ended();
    expect({ name, code, problems: lines.filter(({ level }) => level !== "info") }).toEqual({
      ...{ name, code: 0, problems: [] },
    });
    const sentence = `Postgres of this home is being stopped by another command, so ${name} ends.`;
    expect(lines.filter(({ event }) => event === "brought_down")).toMatchObject([{ message: sentence }]);
    expect(lines.at(-1)).toMatchObject({ event: "stopped" });
  }
  const { lines } = await worker.ended();
  expect(lines[0]).toMatchObject({
    event: "beside",
    message: `up works in this home already, as process ${up.pid}; the two share the work.`,
  });
  expect(await attendantsOf(home)).toEqual([]);
  expect((await program("", ["down"], environment)).out).toContain("Nothing runs in");
});

test("a command that was killed is waited for by nobody, and its note goes; what is no note goes too", async () => {
  const home = await givenHome();
  const own = await noteAttendant(home, { command: "worker", needs: ["postgres"] });
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  const notes = join(home, "attending");
  await writeFile(join(notes, "up-1.json"), JSON.stringify({ ...own, command: "up", pid: child.pid }));
  await writeFile(join(notes, "up-2.json"), JSON.stringify({ ...own, command: "up", start_time: "0" }));
  await writeFile(join(notes, "up-3.json"), "{");
  expect(await attendantsOf(home)).toEqual([own]);
  expect(await readdir(notes)).toEqual([`worker-${process.pid}.json`]);
  await forgetAttendant(home, own);
  expect(await attendantsOf(home)).toEqual([]);
});

test("only what a command works with ends it, and only since it began", async () => {
  const home = await givenHome();
  const former = stoppedMark(serviceRunDirectory(home), "redis");
  await mkdir(serviceRunDirectory(home));
  await writeFile(former, "");
  const before = Date.now() / 1000 - 60;
  await utimes(former, before, before);
  const own = await noteAttendant(home, { command: "serve", needs: ["redis"] });
  expect(await stoppedUnder(home, own)).toEqual([]);
  await endAttendants(home, ["postgres"]);
  expect(await stoppedUnder(home, own)).toEqual([]);
  await endAttendants(home, ["redis"]);
  expect(await stoppedUnder(home, own)).toEqual(["redis"]);
  await endAttendants(home, ["home"]);
  expect(await stoppedUnder(home, own)).toEqual(["redis", "home"]);
});
