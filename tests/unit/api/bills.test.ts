import { expect, test } from "vitest";
import { billOfMaterialsSchema } from "../../../src/service/bills/bill_schemas.ts";
import { deploy, promote, register } from "../../../src/testing/index.ts";
import { givenApi } from "../../support/given/given_api.ts";

const HASH = "c".repeat(64);

test("a version's bill names what its lock names, the same for its deployment, and the same each time", async () => {
  const { deployer, get } = await givenApi();
  const version = await register(deployer, "run1");
  await promote(deployer, version, "staging");
  const { deployment_id, bento_tag } = await deploy(deployer, version, "staging");
  deployer.packager.lock(bento_tag, [
    {
      name: "numpy",
      version: "2.4.0",
      address: null,
      sha256: [HASH],
      licence: { kind: "expression", text: "BSD-3-Clause" },
    },
    {
      name: "torch",
      version: "2.9.0+cpu",
      address: null,
      sha256: [HASH],
      licence: { kind: "name", text: "BSD" },
    },
    { name: "own", version: "1.0", address: "own-1.0-py3-none-any.whl", sha256: [HASH], licence: null },
  ]);
  const bill = await get(billOfMaterialsSchema, `/v1/bills/${version}`);
  expect(bill.components.map((one) => one.purl)).toEqual([
    "pkg:generic/python@3.11.7",
    "pkg:pypi/numpy@2.4.0",
    "pkg:pypi/torch@2.9.0%2Bcpu",
    "pkg:pypi/own@1.0?file_name=own-1.0-py3-none-any.whl",
  ]);
  expect(bill.components[1]).toMatchObject({
    hashes: [{ alg: "SHA-256", content: HASH }],
    licenses: [{ expression: "BSD-3-Clause" }],
  });
  expect(bill.components[2]?.licenses).toEqual([{ license: { name: "BSD" } }]);
  expect(bill.metadata.component).toMatchObject({ type: "machine-learning-model", "bom-ref": version });
  expect(bill.dependencies[0]?.dependsOn).toHaveLength(4);
  expect(await get(billOfMaterialsSchema, `/v1/bills/${deployment_id}`)).toEqual(bill);
});

test("a version that was not packaged has no bill yet, and it is said what makes one", async () => {
  const { deployer, problem } = await givenApi();
  const version = await register(deployer, "run1");
  const found = await problem(`/v1/bills/${version}`);
  expect(found).toMatchObject({ status: 404, code: "not_found" });
  expect(JSON.stringify(found)).toContain("Deploying the version packages it");
  expect(await problem("/v1/bills/nothing")).toMatchObject({ status: 404 });
});
