import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it } from "vitest";
import { withFileLock } from "../../../src/platform/processes/file_lock.ts";

const holder = fileURLToPath(new URL("./programs/lock_holder.ts", import.meta.url));
let directory = "";
let path = "";

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "model-deployer-lock-"));
  path = join(directory, "some.lock");
});

afterEach(async () => {
  await rm(directory, { recursive: true });
});

it("lets one in at a time", async () => {
  let inside = 0;
  const most: number[] = [];
  await Promise.all(
    Array.from({ length: 4 }, () =>
      withFileLock(path, { waitMs: 30_000 }, async () => {
        inside += 1;
        most.push(inside);
        await promisify(execFile)("/bin/true");
        inside -= 1;
      }),
    ),
  );
  expect(most).toEqual([1, 1, 1, 1]);
});

it("gives way when its holder is killed, and not before", async () => {
  const child = spawn(process.execPath, [holder, path], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await once(child.stdout, "data");
    await expect(withFileLock(path, { waitMs: 300 }, async () => "entered")).rejects.toMatchObject({
      code: "service_unavailable",
    });
  } finally {
    child.kill("SIGKILL");
  }
  expect(await withFileLock(path, { waitMs: 30_000 }, async () => "entered")).toBe("entered");
});

it("stops waiting when it is aborted", async () => {
  const abort = new AbortController();
  await withFileLock(path, { waitMs: 30_000 }, async () => {
    const waiting = withFileLock(path, { waitMs: 30_000, signal: abort.signal }, async () => "entered");
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ name: "AbortError" });
  });
});
