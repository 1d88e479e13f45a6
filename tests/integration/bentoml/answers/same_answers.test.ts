import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { compareGroup, ensureComparedEnvironment, groups } from "../../../../bench/answers/run.ts";

const cacheDirectory = process.env["MODEL_DEPLOYER_CACHE"] ?? join(homedir(), ".cache", "model-deployer");
let python: string;
let documented: Set<string>;

beforeAll(async () => {
  python = await ensureComparedEnvironment(cacheDirectory);
  const page = await readFile(new URL("../../../../docs/serving.md", import.meta.url), "utf8");
  documented = new Set([...page.matchAll(/^\| `([a-z_]+)`/gm)].map(([, name]) => name ?? ""));
}, 3_600_000);

describe("/invocations answers as MLflow's scoring server and mlflow.pyfunc do", () => {
  it.each(groups)("%s", async (group) => {
    const compared = await compareGroup(python, group);
    expect(compared.filter(({ skipped }) => skipped === undefined)).not.toEqual([]);
    expect(compared.filter(({ failed }) => failed !== undefined)).toEqual([]);
    expect(compared.filter(({ different }) => different.length > 0)).toEqual([]);
    const reasons = new Set(compared.flatMap(({ verdicts }) => Object.keys(verdicts)));
    reasons.delete("equal");
    expect([...reasons].filter((reason) => !documented.has(reason))).toEqual([]);
  });
});
