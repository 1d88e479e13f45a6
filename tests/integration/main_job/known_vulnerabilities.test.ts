import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectModelDeployer } from "../../../src/wiring/connect_model_deployer.ts";
import type { ModelDeployer } from "../../../src/wiring/model_deployer.ts";
import { readConfiguration } from "../../../src/wiring/settings/configuration.ts";
import { billOf } from "../../../src/service/bills/bill_of_materials.ts";
import { errorOf } from "../../../src/testing/index.ts";
import { act, deployer, environment, experiment, register } from "./world.ts";

/** A real lock, matched with entries that this installation's setting names. */

let folder = "";
let watching: ModelDeployer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "model-deployer-known-"));
  const place = join(folder, "osv.json");
  const affected = [
    {
      package: { ecosystem: "PyPI", name: "Scikit_Learn" },
      ranges: [{ type: "ECOSYSTEM", events: [{ introduced: "0" }, { fixed: "99.0" }] }],
    },
  ];
  const severity = [{ type: "CVSS_V3", score: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }];
  const entry = { id: "GHSA-test", modified: "2026-10-01T00:00:00Z", summary: "made up", affected, severity };
  await writeFile(place, JSON.stringify([entry]));
  const configuration = readConfiguration({ ...environment, MODEL_DEPLOYER_VULNERABILITIES: place });
  watching = await connectModelDeployer(configuration, { installation: "demo" });
});
afterAll(async () => {
  await watching.close();
  await rm(folder, { recursive: true });
});

test("a real lock's vulnerability refuses the version once it is packaged, and stands in its bill", async () => {
  const { experiments } = deployer.database;
  const { policy_id: _, ...policy } = await experiments.getGatePolicy(experiment);
  const vulnerabilities = { refuse_from: "high" as const };
  await experiments.setGatePolicy(experiment, { ...policy, vulnerabilities, reason: "none" }, "tests");
  const { model_version_id } = await register("v1");
  await act("promote", { model_version_id, target_stage: "staging" });
  const request = { deployment_action: "deploy", model_version_id, target_stage: "staging" as const };
  const refused = await errorOf(watching.agent.execute(request));
  expect(refused).toMatchObject({ code: "artifact_rejected", retryable: false });
  expect(refused.message).toMatch(/GHSA-test \(critical, 9\.8\) in scikit-learn \S+, mended in 99\.0/);
  expect(await deployer.database.deployments.listForVersion(model_version_id)).toEqual([]);

  const { packager, vulnerabilities: known } = watching.parts;
  const listPackages = (bentoTag: string) => packager.listPackages(bentoTag);
  const source = { database: watching.database, listPackages, vulnerabilities: known };
  const bill = await billOf(source, model_version_id);
  expect(bill.vulnerabilities).toMatchObject([{ id: "GHSA-test", ratings: [{ severity: "critical" }] }]);
  expect(bill.vulnerabilities?.[0]?.affects[0]?.ref).toMatch(/^pkg:pypi\/scikit-learn@/);
});
