import { appendFile, mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { boundLog, startBoundingLogs, readTail } from "../../../src/platform/processes/bounded_log.ts";
import { pollUntil } from "../../../src/testing/poll.ts";

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "model-deployer-log-"));
  path = join(folder, "server.log");
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const bounds = { bytes: 10, files: 2 };
const text = (name: string) => readFile(join(folder, name), "utf8");

test("a log within its bound stays as it is, and one that is not there is none", async () => {
  await boundLog(path, bounds);
  await writeFile(path, "0123456789");
  await boundLog(path, bounds);
  expect(await text("server.log")).toBe("0123456789");
  expect(await readdir(folder)).toEqual(["server.log"]);
});

test("a writer that holds its log open goes on in the same file, and the newest bytes are kept beside it", async () => {
  const writer = await open(path, "a");
  for (const word of ["first-----too-much", "second------more", "third-------more"]) {
    await writer.write(word);
    await boundLog(path, bounds);
  }
  await writer.write("after");
  await writer.close();
  expect(await text("server.log")).toBe("after");
  expect(await text("server.log.1")).toBe("-----more".padStart(10, "-"));
  expect((await readdir(folder)).sort()).toEqual(["server.log", "server.log.1", "server.log.2"]);
  for (const name of ["server.log.1", "server.log.2"])
    expect((await stat(join(folder, name))).size).toBe(bounds.bytes);
});

test("a log is emptied even where its copy cannot be written", async () => {
  await writeFile(path, "x".repeat(100));
  // A folder in the copy's place stands for a disk that takes nothing.
  await mkdir(`${path}.1`);
  await expect(boundLog(path, { bytes: 10, files: 1 })).rejects.toThrow(/EISDIR/);
  expect((await stat(path)).size).toBe(0);
});

test("what cannot be kept within its bound is told once, and looked at again", async () => {
  const problems: string[] = [];
  let looks = 0;
  const folders = async () => {
    looks += 1;
    if (looks <= 2) return Promise.reject(new TypeError("the folder is away"));
    return [folder];
  };
  await writeFile(path, "x".repeat(100));
  const end = startBoundingLogs({ folders, bounds, onProblem: (problem) => problems.push(problem) });
  await pollUntil(async () => (await stat(path)).size === 0, { what: "an empty log", deadlineMs: 60_000 });
  await end();
  expect(problems).toEqual(["a log cannot be kept within its bound: the folder is away"]);
});

test("the last lines are read, and no more than a bound of a log of any size", async () => {
  expect(await readTail(path, 5)).toBe("");
  await writeFile(path, "one\ntwo\nthree\n");
  expect(await readTail(path, 2)).toBe("two\nthree");
  await appendFile(path, `${"x".repeat(50 * 1024 * 1024)}\nlast\n`);
  const tail = await readTail(path, 400);
  expect(tail.length).toBeLessThanOrEqual(256 * 1024);
  expect(tail.endsWith("\nlast")).toBe(true);
});
