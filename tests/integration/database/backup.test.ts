import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateIdentity, identityToRecipient } from "age-encryption";
import { expect, onTestFinished, test } from "vitest";
import { createDatabase } from "../../../src/database/index.ts";
import { backUpHome, restoreHome } from "../../../src/wiring/keeping/backup_home.ts";
import { createTestDatabase } from "../../support/services/databases.ts";
import { apply, claim, observe, openEndpointWith, want } from "./support.ts";

const PASSPHRASE = "a passphrase of some length";

async function emptyDatabase() {
  const created = await createTestDatabase();
  onTestFinished(() => created.drop());
  return { url: created.url, query: (sql: string) => created.query(sql) };
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "backup-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

function open(url: string) {
  const db = createDatabase({ url, holder: `test:${crypto.randomUUID()}` });
  onTestFinished(() => db.close());
  return db;
}

/** A database with traffic, history, an operation that waits, and values that a careless copy would change. */
async function givenInstallation() {
  const database = await emptyDatabase();
  const db = open(database.url);
  await db.migrate({ installation: "demo" });
  const { experiment } = await import("./support.ts");
  await db.experiments.create(experiment, "tester");
  await openEndpointWith(db, 2);
  await apply(db, want(0, { d1: 100 }), observe(1));
  await apply(db, want(1, { d2: 100 }), observe(2));
  const { operation_id } = await claim(db);
  await db.outcomes.record([{ request_id: "tab\there\\n", outcome: ["a", 1] }], {
    by: "ana",
    endpoint_name: null,
  });
  const home = await folder();
  const file = join(await folder(), "backup.age");
  const backUp = (key: string | null, path = file) =>
    backUpHome({ home, ownerUrl: database.url, facts: db.keeping, file: path, key, bentos: "needed" });
  return { ...database, db, home, file, backUp, operation_id };
}

async function restoreTo(file: string, key: string | null, generation: number | null = null) {
  const target = await emptyDatabase();
  const home = await folder();
  const restored = async () =>
    restoreHome({ home, ownerUrl: target.url, file, key, observe: async () => generation });
  return { ...target, home, restored };
}

/** All rows of all tables, as text. */
async function portrait(query: (sql: string) => Promise<Record<string, unknown>[]>) {
  const tables = await query(
    "select relname as name from pg_class where relname like 'ml\\_%' and relkind = 'r' order by 1",
  );
  const rows = await Promise.all(
    tables.map(async ({ name }) => {
      const found = await query(`select to_jsonb(t)::text as row from ${String(name)} t order by 1`);
      return [String(name), found.map(({ row }) => row)] as const;
    }),
  );
  return Object.fromEntries(rows);
}

test("what is restored is what was backed up, row by row, and works on", async () => {
  const given = await givenInstallation();
  const made = await given.backUp(PASSPHRASE);
  expect(made).toMatchObject({ encrypted: true });
  expect((await readFile(given.file, "latin1")).split("\n")[0]).toBe("age-encryption.org/v1");
  const { restored, query, url } = await restoreTo(given.file, PASSPHRASE);
  expect((await restored()).rows).toBe(made.rows);
  expect(await portrait(query)).toEqual(await portrait(given.query));
  const db = open(url);
  expect((await db.migrate({ installation: "demo" })).applied).toEqual([]);
  await apply(db, want(2, { d1: 100 }), observe(3));
  await expect(query("delete from ml_traffic_history")).rejects.toThrow(/append-only/);
});

test("a file that was backed up for an age recipient is read with its identity alone", async () => {
  const given = await givenInstallation();
  const identity = await generateIdentity();
  await given.backUp(await identityToRecipient(identity));
  const wrong = await restoreTo(given.file, await generateIdentity());
  await expect(wrong.restored()).rejects.toMatchObject({ code: "invalid_request" });
  const right = await restoreTo(given.file, identity);
  expect((await right.restored()).rows).toBeGreaterThan(10);
});

test("a wrong key, no key, and a key for what is not encrypted are refused, and nothing is written", async () => {
  const given = await givenInstallation();
  await given.backUp(PASSPHRASE);
  const plain = join(given.home, "plain.tar.gz");
  await given.backUp(null, plain);
  const attempts: [string, string | null, RegExp][] = [
    [given.file, "another passphrase entirely", /cannot be read with this key/],
    [given.file, null, /is encrypted: name its key/],
    [plain, PASSPHRASE, /is not encrypted, though a key was given/],
  ];
  for (const [file, key, message] of attempts) {
    const { restored, query, home } = await restoreTo(file, key);
    await expect(restored()).rejects.toThrow(message);
    expect(await query("select relname from pg_class where relname like 'ml\\_%'")).toEqual([]);
    expect(await readdir(join(home, ".backups"))).toEqual([]);
  }
});

test("cut off or altered anywhere, encrypted or not, a backup is refused and the database stays empty", async () => {
  const given = await givenInstallation();
  const plain = join(given.home, "plain.tar.gz");
  await given.backUp(PASSPHRASE);
  await given.backUp(null, plain);
  for (const [source, key] of [
    [given.file, PASSPHRASE],
    [plain, null],
  ] as const) {
    const whole = await readFile(source);
    for (const part of [0.2, 0.6, 0.999]) {
      const at = Math.floor(whole.length * part);
      for (const damage of ["cut", "altered"]) {
        const broken = join(given.home, `broken-${part}-${damage}`);
        const content = Buffer.from(whole);
        content[at] = (content[at] ?? 0) ^ 0xff;
        await writeFile(broken, content);
        if (damage === "cut") await truncate(broken, at);
        const { restored, query } = await restoreTo(broken, key);
        await expect(restored(), `${damage} at ${part}`).rejects.toMatchObject({ code: "invalid_request" });
        expect(await query("select relname from pg_class where relname like 'ml\\_%'")).toEqual([]);
      }
    }
  }
});

test("a database with rows is in use, and a backup of a newer version is refused by the migration's name", async () => {
  const given = await givenInstallation();
  await given.backUp(null);
  const target = await restoreTo(given.file, null);
  await target.restored();
  await expect(target.restored()).rejects.toMatchObject({ code: "conflict", retryable: false });
  await given.query(
    "insert into schema_migrations (name, checksum) values ('9999_from_the_future.sql', 'x')",
  );
  const newer = join(given.home, "newer");
  await given.backUp(null, newer);
  const { restored, query } = await restoreTo(newer, null);
  await expect(restored()).rejects.toThrow(/newer version.*9999_from_the_future/);
  expect(await query("select relname from pg_class where relname like 'ml\\_%'")).toEqual([]);
});

test("where a router is ahead of the backup, the endpoint's generation becomes higher than the router's", async () => {
  const given = await givenInstallation();
  await given.backUp(null);
  const { restored, query } = await restoreTo(given.file, null, 17);
  expect((await restored()).ahead).toEqual(["e2i_exp"]);
  const [endpoint] = await query("select generation, weights, observed_generation from ml_endpoints");
  expect(endpoint).toEqual({ generation: 18, weights: { d2: 100 }, observed_generation: 2 });
});

test("a backup never takes the place of a file, and leaves no part of itself behind", async () => {
  const given = await givenInstallation();
  await given.backUp(null);
  const { mtimeMs } = await stat(given.file);
  await expect(given.backUp(null)).rejects.toThrow(/exists already/);
  expect((await stat(given.file)).mtimeMs).toBe(mtimeMs);
  await mkdir(join(given.home, "nowhere"));
  await expect(given.backUp("short", join(given.home, "other"))).rejects.toThrow(/16 or more/);
  expect((await readdir(given.home)).filter((name) => name.includes("partial"))).toEqual([]);
});
