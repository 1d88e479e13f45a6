import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { VulnerabilityReport } from "../../../src/agents/model_deployer/domain/models/known_vulnerabilities.ts";
import { OsvVulnerabilities } from "../../../src/mlops/vulnerabilities/osv_vulnerabilities.ts";
import { scriptPython } from "../../../src/platform/processes/child_environment.ts";
import { ensureToolsEnvironment } from "../../../src/platform/python/python_environment.ts";
import { errorOf } from "../../../src/testing/index.ts";

const run = promisify(execFile);
const cacheDirectory = process.env["MODEL_DEPLOYER_CACHE"] ?? join(homedir(), ".cache", "model-deployer");
const signal = new AbortController().signal;
let folder = "";
let place = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "model-deployer-osv-test-"));
  place = join(folder, "osv");
  await mkdir(place);
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

type Event = Record<string, string>;
const entry = (id: string, more: Record<string, unknown>) => ({
  id,
  modified: "2026-10-01T00:00:00Z",
  summary: `about ${id}`,
  ...more,
});
const ranged = (name: string, events: Event[], versions: string[] = [], type = "ECOSYSTEM") => ({
  affected: [{ package: { ecosystem: "PyPI", name }, ranges: [{ type, events }], versions }],
});
const cvss = (score: string) => ({ severity: [{ type: "CVSS_V3", score }] });

const write = async (name: string, content: unknown) => {
  await writeFile(join(place, `${name}.json`), JSON.stringify(content));
};

async function affecting(versions: Record<string, string | null>, at = place): Promise<VulnerabilityReport> {
  const python = async () => (await ensureToolsEnvironment({ cacheDirectory })).python;
  const packages = Object.entries(versions).map(([name, version]) => ({
    name,
    version,
    address: null,
    sha256: [],
    licence: null,
  }));
  const environment = { bento_tag: "e2i_x:v1", python: "3.11.7", packages, has_licences: false };
  return new OsvVulnerabilities({ place: at, python }).affecting(environment, { signal });
}

const idsIn = ({ found }: VulnerabilityReport) => found.flatMap(({ ids }) => ids).sort();

test("versions are matched by OSV's rules for PyPI, ordered by PEP 440", async () => {
  await write(
    "before",
    entry("GHSA-before", ranged("Some_Package", [{ introduced: "0" }, { fixed: "1.22.0" }])),
  );
  await write(
    "between",
    entry("GHSA-between", ranged("some.package", [{ introduced: "2.0" }, { last_affected: "2.4.0" }])),
  );
  await write(
    "twice",
    entry(
      "GHSA-twice",
      ranged("some-package", [
        { fixed: "3.1" },
        { introduced: "3.0rc1" },
        { introduced: "3.5" },
        { fixed: "3.6" },
      ]),
    ),
  );
  await write(
    "listed",
    entry("GHSA-listed", ranged("some-package", [{ introduced: "abc" }, { fixed: "def" }], ["4.0.0"], "GIT")),
  );
  await write("epoch", entry("GHSA-epoch", ranged("some-package", [{ introduced: "1!1.0" }])));
  await write("other", entry("GHSA-other", ranged("other", [{ introduced: "0" }])));
  await write(
    "npm",
    entry("GHSA-npm", {
      affected: [
        {
          package: { ecosystem: "npm", name: "some-package" },
          ranges: [{ type: "SEMVER", events: [{ introduced: "0" }] }],
        },
      ],
    }),
  );
  await write(
    "withdrawn",
    entry("GHSA-gone", {
      withdrawn: "2026-01-01T00:00:00Z",
      ...ranged("some-package", [{ introduced: "0" }]),
    }),
  );
  const at = async (version: string) => idsIn(await affecting({ "some-package": version }));
  expect(await at("1.9")).toEqual(["GHSA-before"]);
  expect(await at("1.22.0.dev1")).toEqual(["GHSA-before"]);
  expect(await at("1.22")).toEqual([]);
  expect(await at("1.22.0+cpu")).toEqual([]);
  expect(await at("2.4.0+cpu")).toEqual(["GHSA-between"]);
  expect(await at("2.4.0.post1")).toEqual([]);
  expect(await at("3.0")).toEqual(["GHSA-twice"]);
  expect(await at("3.0b2")).toEqual([]);
  expect(await at("3.2")).toEqual([]);
  expect(await at("3.5.1")).toEqual(["GHSA-twice"]);
  expect(await at("4")).toEqual(["GHSA-listed"]);
  expect(await at("1!2.0")).toEqual(["GHSA-epoch"]);
}, 300_000);

test("severities are CVSS's where its vector is one of version 3 or 4, else the database's own word, and one vulnerability has all its ids", async () => {
  const always = [{ introduced: "0" }, { fixed: "9.0" }];
  await write(
    "a",
    entry("GHSA-a", {
      ...ranged("a", always),
      ...cvss("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"),
      aliases: ["CVE-1"],
    }),
  );
  await write(
    "b",
    entry("PYSEC-a", {
      ...ranged("a", [{ introduced: "0" }, { fixed: "9.1" }]),
      aliases: ["CVE-1"],
      modified: "2026-11-05T00:00:00Z",
    }),
  );
  await write(
    "c",
    entry("GHSA-c", {
      ...ranged("a", always),
      severity: [{ type: "CVSS_V4", score: "CVSS:4.0/AV:N" }],
      database_specific: { severity: "MODERATE" },
    }),
  );
  const attached = "CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N";
  const severity = [{ type: "CVSS_V4", score: attached }];
  await write("f", entry("GHSA-f", { ...ranged("a", always), severity }));
  await write("d", entry("GHSA-d", ranged("a", always)));
  await write(
    "e",
    entry("GHSA-e", { ...ranged("a", always), ...cvss("CVSS:3.1/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N") }),
  );
  const report = await affecting({ a: "1.0", unversioned: null });
  expect(report.found.map(({ ids, severity, score, fixed }) => [ids, severity, score, fixed])).toEqual([
    [["CVE-1", "GHSA-a", "PYSEC-a"], "critical", 9.8, ["9.0", "9.1"]],
    [["GHSA-f"], "high", 7.3, ["9.0"]],
    [["GHSA-c"], "medium", null, ["9.0"]],
    [["GHSA-e"], "medium", 6.1, ["9.0"]],
    [["GHSA-d"], "unknown", null, ["9.0"]],
  ]);
  expect(report).toMatchObject({
    as_of: "2026-11-05T00:00:00Z",
    entries: 6,
    unread: 0,
    unmatched: ["unversioned"],
  });
});

test("a folder, a zip and a list say the same", async () => {
  for (const id of ["GHSA-1", "GHSA-2"]) await write(id, entry(id, ranged("a", [{ introduced: "0" }])));
  const zip = join(folder, "all.zip");
  await run(scriptPython(), ["-m", "zipfile", "-c", zip, `${place}/`]);
  const list = join(folder, "list.json");
  const listed = ["GHSA-1", "GHSA-2"].map((id) => entry(id, ranged("a", [{ introduced: "0" }])));
  await writeFile(list, JSON.stringify(listed));
  for (const at of [place, zip, list]) {
    const report = await affecting({ a: "1.0" }, at);
    expect(idsIn(report), at).toEqual(["GHSA-1", "GHSA-2"]);
    expect(report, at).toMatchObject({ source: at, entries: 2, unread: 0 });
  }
});

test("what cannot be read is refused by its name, and single damaged entries are counted", async () => {
  const cases: [string, (at: string) => Promise<unknown>][] = [
    ["nothing", async () => undefined],
    ["text.json", (at) => writeFile(at, "no json")],
    ["deep.json", (at) => writeFile(at, "[".repeat(200_000))],
    ["empty.json", (at) => writeFile(at, "[]")],
    ["bill.json", (at) => writeFile(at, JSON.stringify([{ bomFormat: "CycloneDX" }]))],
    ["cut.zip", (at) => writeFile(at, "PK\u0003\u0004 cut")],
    ["folder", (at) => mkdir(at)],
  ];
  for (const [name, make] of cases) {
    const at = join(folder, name);
    await make(at);
    const error = await errorOf(affecting({ a: "1.0" }, at));
    expect(error, name).toMatchObject({ code: "configuration", retryable: false });
    expect(error.message, name).toContain(`MODEL_DEPLOYER_VULNERABILITIES=${at} cannot be read: `);
  }
  await write("good", entry("GHSA-1", ranged("a", [{ introduced: "0" }])));
  await writeFile(
    join(place, "broken.json"),
    '{"modified": "2026-01-01", "affected": [{"package": {"name": "a"',
  );
  await writeFile(
    join(place, "odd.json"),
    JSON.stringify(entry("GHSA-odd", ranged("a", [{ introduced: "not a version" }]))),
  );
  const report = await affecting({ a: "1.0" });
  expect(idsIn(report)).toEqual(["GHSA-1"]);
  expect(report).toMatchObject({ entries: 3, unread: 2 });
});

test("entries that were brought anew are read anew", async () => {
  await write("one", entry("GHSA-1", ranged("a", [{ introduced: "0" }])));
  const python = async () => (await ensureToolsEnvironment({ cacheDirectory })).python;
  const known = new OsvVulnerabilities({ place, python });
  const environment = {
    bento_tag: "e2i_x:v1",
    python: "3.11.7",
    packages: [{ name: "a", version: "1.0", address: null, sha256: [], licence: null }],
    has_licences: false,
  };
  expect(idsIn(await known.affecting(environment, { signal }))).toEqual(["GHSA-1"]);
  await write("two", entry("GHSA-2", ranged("a", [{ introduced: "0" }])));
  await utimes(place, new Date(), new Date(Date.now() + 5000));
  expect(idsIn(await known.affecting(environment, { signal }))).toEqual(["GHSA-1", "GHSA-2"]);
});
