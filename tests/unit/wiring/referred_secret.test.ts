import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { errorOf } from "../../../src/testing/index.ts";
import { referredSecret } from "../../../src/wiring/home/referred_secret.ts";
import { givenSecrets } from "../../support/given/given_secrets.ts";

const secretOf = (setting: string | null, variables = {}) =>
  referredSecret(setting, "The password", givenSecrets(variables));

test("a secret is the setting's value, or what the variable or file that it names holds", async () => {
  expect(await secretOf(null)()).toBeNull();
  expect(await secretOf("as it is")()).toBe("as it is");
  expect(await secretOf("env:MAIL", { MAIL: "of a variable" })()).toBe("of a variable");
});

test("a secret in a file is read anew each time, and one that is gone is told by its place", async () => {
  const folder = await mkdtemp(join(tmpdir(), "md-secret-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "password");
  const read = secretOf(`file:${file}`);
  for (const value of ["first", "second"]) {
    await writeFile(file, `${value}\n`);
    expect(await read()).toBe(value);
  }
  await rm(file);
  const error = await errorOf(read());
  expect(error).toMatchObject({ code: "configuration" });
  expect(error.message).toContain(`The password is file:${file}`);
});
