import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";

const program = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));

/** Prints the packages of all modules that are loaded, when the process ends. */
const hook = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module";
  const packages = new Set();
  registerHooks({
    load(url, context, next) {
      const found = /node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url);
      if (found !== null) packages.add(found[1]);
      return next(url, context);
    },
  });
  process.on("exit", () => console.error(JSON.stringify([...packages])));
`)}`;

const HEAVY = ["@langchain/core", "@langchain/langgraph", "langsmith", "undici", "ioredis", "pg", "execa"];

test.for(["--help", "--version", "rollback --help", "complete -- roll"])(
  "%s loads neither a graph nor a driver, which take most of a second",
  async (words) => {
    const { stderr } = await promisify(execFile)(process.execPath, [
      "--import",
      hook,
      program,
      ...words.split(" "),
    ]);
    expect(stderr).toContain("commander");
    expect(HEAVY.filter((name) => stderr.includes(`"${name}"`))).toEqual([]);
  },
);

test("what a command has compiled is kept in the deployer's own cache, where nobody else can put code", async () => {
  const cache = await mkdtemp(join(tmpdir(), "compiled-"));
  onTestFinished(() => rm(cache, { recursive: true, force: true }));
  const environment = { ...process.env, MODEL_DEPLOYER_CACHE: cache };
  await promisify(execFile)(process.execPath, [program, "--version"], { env: environment });
  expect((await readdir(join(cache, "compiled"), { recursive: true })).length).toBeGreaterThan(10);
});
