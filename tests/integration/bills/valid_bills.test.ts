import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { billOfMaterials } from "../../../src/service/bills/bill_of_materials.ts";
import type { BillOfMaterials } from "../../../src/service/bills/bill_schemas.ts";
import { aVersion } from "../../support/given/given_facts.ts";
import { openWorkshop, type Workshop } from "../bentoml/workshop.ts";

const run = promisify(execFile);
const VALIDATOR = "cyclonedx-python-lib[json-validation]==11.12.0";
const CHECK = `
import json, sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1], encoding="utf-8").read())
print(json.dumps(None if problem is None else str(problem.data)))
`;
let workshop: Workshop;
let python = "";
beforeAll(async () => {
  workshop = await openWorkshop();
  const environment = join(workshop.directory, "validator");
  python = join(environment, "bin", "python");
  await run(workshop.tools.python, ["-m", "venv", "--without-pip", environment]);
  await run(workshop.tools.uv, ["pip", "install", "--quiet", "--python", python, VALIDATOR]);
}, 600_000);
afterAll(async () => {
  await workshop.close();
});

/** What CycloneDX's own library says of it by the schema of 1.6; null where it is valid. */
async function problemOf(bill: unknown): Promise<string | null> {
  await mkdir(workshop.directory, { recursive: true });
  const file = join(workshop.directory, "bill.json");
  await writeFile(file, JSON.stringify(bill));
  const { stdout } = await run(python, ["-c", CHECK, file]);
  return z.string().nullable().parse(JSON.parse(stdout));
}

async function billFor(bentoTag: string): Promise<BillOfMaterials> {
  const packages = await workshop.packager.listPackages(bentoTag);
  if (packages === null) throw new TypeError(`${bentoTag} has no lock`);
  return billOfMaterials(aVersion(1), packages);
}

test("the bill of a real environment is valid by CycloneDX's schema, with each package, its hashes and its licence", async () => {
  const bento_tag = await workshop.pack("classifier");
  await workshop.packager.prepareServing(bento_tag, { signal: AbortSignal.timeout(600_000) });
  const bill = await billFor(bento_tag);
  expect(await problemOf(bill)).toBeNull();
  const named = new Map(bill.components.map((one) => [one.name, one]));
  for (const name of ["bentoml", "mlflow", "scikit-learn", "numpy"]) {
    const found = named.get(name);
    expect(found?.purl, name).toBe(`pkg:pypi/${name}@${found?.version}`);
    expect(found?.hashes?.length, name).toBeGreaterThan(0);
    expect(found?.licenses, name).toHaveLength(1);
  }
  const licensed = bill.components.filter((one) => one.licenses !== undefined);
  expect(licensed.length).toBeGreaterThan(0.8 * bill.components.length);
  expect(bill.metadata.component.properties?.map(({ name }) => name)).not.toContain(
    "model-deployer:licences",
  );
  expect(await billFor(bento_tag)).toEqual(bill);
});

test("a bill with known vulnerabilities is valid too, and each names what it affects", async () => {
  const packages = await workshop.packager.listPackages(await workshop.pack("classifier"));
  if (packages === null) throw new TypeError("there is no lock");
  const numpy = packages.packages.find(({ name }) => name === "numpy");
  const one = {
    ids: ["CVE-2026-1", "GHSA-aaaa-bbbb-cccc"],
    package: "numpy",
    version: numpy?.version ?? "",
    score: 9.8,
    severity: "critical" as const,
    summary: "it runs what it is sent",
    fixed: ["99.0"],
  };
  const found = [
    one,
    { ...one, ids: ["PYSEC-2026-2"], score: null, severity: "unknown" as const, fixed: [] },
  ];
  const report = { source: "osv.zip", as_of: "2026-11-01", entries: 2, unread: 0, unmatched: [], found };
  const bill = billOfMaterials(aVersion(1), packages, report);
  expect(await problemOf(bill)).toBeNull();
  const ref = bill.components.find(({ name }) => name === "numpy")?.["bom-ref"] ?? "";
  expect(bill.vulnerabilities?.map(({ id, affects }) => [id, affects])).toEqual([
    ["CVE-2026-1", [{ ref }]],
    ["PYSEC-2026-2", [{ ref }]],
  ]);
});

test("the schema refuses what is no bill, so that the check above can fail", async () => {
  const bill = await billFor(await workshop.pack("classifier"));
  const [first, ...others] = bill.components;
  expect(await problemOf({ ...bill, components: [{ ...first, type: "package" }, ...others] })).not.toBeNull();
  expect(await problemOf({ ...bill, components: [first, first] })).not.toBeNull();
  expect(await problemOf({ ...bill, serialNumber: "1" })).not.toBeNull();
});
