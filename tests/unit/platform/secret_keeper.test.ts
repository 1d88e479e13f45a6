import { mkdtemp, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { HomeSecrets } from "../../../src/platform/secrets/secret_keeper.ts";
import { errorOf } from "../../../src/testing/index.ts";

const ADDRESS = "https://hooks.example.org/T000/secret-path";
const PLACE = "sink/team/address";

async function givenHome() {
  const home = await mkdtemp(join(tmpdir(), "md-secrets-"));
  const keyFile = join(home, "secrets.key");
  const keeper = (variables: Record<string, string> = {}, key: string | null = null) =>
    new HomeSecrets({ key, keyFile, variable: (name) => variables[name] });
  return { home, keyFile, keeper };
}

test("what is sealed is opened by the same home, and says nothing of itself", async () => {
  const { keyFile, keeper } = await givenHome();
  const { kept, value } = await keeper().keep(ADDRESS, PLACE);
  expect(value).toBe(ADDRESS);
  expect(kept).not.toMatch(/secret-path|hooks/);
  expect(Buffer.from(kept.split(":").at(-1) ?? "", "base64url").toString("latin1")).not.toContain("secret");
  expect(await keeper().open(kept, PLACE)).toBe(ADDRESS);
  expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
  expect((await keeper().keep(ADDRESS, PLACE)).kept).not.toBe(kept);
});

test("processes that make the key at the same time have the same one", async () => {
  const { keeper } = await givenHome();
  const kept = await Promise.all([1, 2, 3, 4].map(() => keeper().keep(ADDRESS, PLACE)));
  for (const one of kept) expect(await keeper().open(one.kept, PLACE)).toBe(ADDRESS);
});

test("what was sealed elsewhere, for something else, or was altered is not opened, and says what to do", async () => {
  const { keyFile, keeper } = await givenHome();
  const { kept } = await keeper().keep(ADDRESS, PLACE);
  const altered = `${kept.slice(0, -2)}${kept.endsWith("AA") ? "BB" : "AA"}`;
  for (const [text, place] of [
    [kept, "sink/other/address"],
    [altered, PLACE],
    ["", PLACE],
    ["plain:https://x.example.org", PLACE],
  ] as const) {
    const error = await errorOf(keeper().open(text, place));
    expect(error).toMatchObject({ code: "configuration" });
    expect(error.message).toContain("MODEL_DEPLOYER_SECRETS_KEY");
  }
  const other = await errorOf(keeper({}, "ab".repeat(32)).open(kept, PLACE));
  expect(other.message).toContain("another key");
  await writeFile(keyFile, "no key");
  expect((await errorOf(keeper().open(kept, PLACE))).message).toContain("secrets.key");
  expect(await readFile(keyFile, "utf8")).toBe("no key");
});

test("a reference is kept as it is, and is looked up whenever it is opened", async () => {
  const { home, keeper } = await givenHome();
  const path = join(home, "slack");
  await writeFile(path, `${ADDRESS}\n`);
  expect(await keeper().keep(`file:${path}`, PLACE)).toEqual({ kept: `file:${path}`, value: ADDRESS });
  expect(await keeper({ SLACK: ADDRESS }).keep("env:SLACK", PLACE)).toEqual({
    kept: "env:SLACK",
    value: ADDRESS,
  });
  await writeFile(path, "https://other.example.org/");
  expect(await keeper().open(`file:${path}`, PLACE)).toBe("https://other.example.org/");
});

test.each(["env:NOT_SET", "file:relative", "file:/nowhere/at/all", "file:/dev/zero", "file:/proc", "file:"])(
  "%s leads nowhere: refused where it is given, and told where it is opened",
  async (reference) => {
    const { keeper } = await givenHome();
    expect(await errorOf(keeper().keep(reference, PLACE))).toMatchObject({ code: "invalid_request" });
    const error = await errorOf(keeper().open(reference, PLACE));
    expect(error).toMatchObject({ code: "configuration" });
    expect(error.message).toContain(reference);
  },
);

test("a file of any size is not read", async () => {
  const { home, keeper } = await givenHome();
  const path = join(home, "large");
  await writeFile(path, "x".repeat(20_000));
  await symlink(path, join(home, "link"));
  for (const name of ["large", "link"])
    expect(await errorOf(keeper().open(`file:${join(home, name)}`, PLACE))).toMatchObject({
      code: "configuration",
    });
});
