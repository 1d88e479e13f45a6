import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { keepSecret } from "../../../src/platform/services/local_secret.ts";

async function givenAPlace(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "model-deployer-secret-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, "services", "mlflow.password");
}

test("all who ask for a password at the same time get one and the same, which its owner alone can read", async () => {
  const path = await givenAPlace();
  const drawn = await Promise.all(Array.from({ length: 30 }, () => keepSecret(path)));
  expect(new Set(drawn).size).toBe(1);
  expect(drawn[0]).toMatch(/^[0-9a-f]{48}$/);
  expect(await keepSecret(path)).toBe(drawn[0]);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await readdir(join(path, ".."))).toEqual(["mlflow.password"]);
});

test("a file that a full disk has left empty is no password", async () => {
  const path = await givenAPlace();
  await keepSecret(path);
  await writeFile(path, "");
  expect(await keepSecret(path)).toMatch(/^[0-9a-f]{48}$/);
});
