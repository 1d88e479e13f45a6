import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ModelPackager, PackageInput } from "../../agents/model_deployer/ports/model_packager_port.ts";

export interface PackagerSubject {
  packager: ModelPackager;
  /** An artifact that can be packaged, and another one. */
  model_paths: [string, string];
  /** An artifact whose MLmodel is missing, and one whose MLmodel cannot be read. */
  unusable_paths: [string, string];
  close(): Promise<void>;
}

const LIMIT_MS = 120_000;
const patience = () => ({ signal: AbortSignal.timeout(LIMIT_MS) });

interface Given {
  subject: () => PackagerSubject;
  input: (bento_tag: string, change?: Partial<PackageInput>) => PackageInput;
}

/** The contract of ModelPackager. */
export function describeModelPackager(name: string, open: () => Promise<PackagerSubject>): void {
  describe(`model packager: ${name}`, { timeout: LIMIT_MS }, () => {
    let subject: PackagerSubject;
    const input = (bento_tag: string, change: Partial<PackageInput> = {}): PackageInput => ({
      bento_tag,
      model_name: "remibrutinib_churn",
      version: 1,
      model_path: subject.model_paths[0],
      preprocessing_path: null,
      artifact_digest: "a".repeat(64),
      ...change,
    });

    beforeAll(async () => {
      subject = await open();
    }, 600_000);

    afterAll(async () => {
      await subject.close();
    });
    const given: Given = { subject: () => subject, input };
    describeBuilding(given);
    describeStoredBentos(given);
    describeRefusedBuilds(given);
  });
}

function describeBuilding(given: Given): void {
  it("builds a bento once, and finds it afterwards", async () => {
    const { packager } = given.subject();
    expect(await packager.findPackage("e2i_once:v1")).toBeNull();
    const made = await packager.packageModel(given.input("e2i_once:v1"), patience());
    expect(made).toMatchObject({ bento_tag: "e2i_once:v1", artifact_digest: "a".repeat(64) });
    expect(await packager.findPackage("e2i_once:v1")).toEqual(made);
    expect(await packager.packageModel(given.input("e2i_once:v1"), patience())).toEqual(made);
  });

  it("refuses a tag that holds another artifact, and keeps the first", async () => {
    const { packager } = given.subject();
    const made = await packager.packageModel(given.input("e2i_taken:v1"), patience());
    const other = given.input("e2i_taken:v1", {
      model_path: given.subject().model_paths[1],
      artifact_digest: "b".repeat(64),
    });
    const attempt = packager.packageModel(other, patience());
    await expect(attempt).rejects.toMatchObject({ code: "endpoint_creation_failed" });
    await expect(attempt).rejects.toThrow(/e2i_taken:v1 exists with artifact_digest aaaa/);
    expect(await packager.findPackage("e2i_taken:v1")).toEqual(made);
  });

  it("never takes v12 for v1", async () => {
    const { packager } = given.subject();
    const twelve = await packager.packageModel(given.input("e2i_prefix:v12"), patience());
    expect(await packager.findPackage("e2i_prefix:v1")).toBeNull();
    const one = await packager.packageModel(
      given.input("e2i_prefix:v1", { artifact_digest: "c".repeat(64) }),
      patience(),
    );
    expect(one.path).not.toBe(twelve.path);
    expect(await packager.findPackage("e2i_prefix:v12")).toEqual(twelve);
  });

  it("ends concurrent builds of one tag with one bento", async () => {
    const { packager } = given.subject();
    const attempts = [1, 2, 3].map(() => packager.packageModel(given.input("e2i_race:v1"), patience()));
    const made = await Promise.all(attempts);
    expect(new Set(made.map(({ path }) => path)).size).toBe(1);
    expect(await packager.findPackage("e2i_race:v1")).toEqual(made[0]);
  });
}

function describeStoredBentos(given: Given): void {
  it("lists the packages of a bento that it has, each with the hashes of its files", async () => {
    const { packager } = given.subject();
    expect(await packager.listPackages("e2i_listed:v1")).toBeNull();
    await packager.packageModel(given.input("e2i_listed:v1"), patience());
    const listed = await packager.listPackages("e2i_listed:v1");
    expect(listed?.bento_tag).toBe("e2i_listed:v1");
    expect(listed?.python).toMatch(/^3\.\d+/);
    const bentoml = listed?.packages.find(({ name }) => name === "bentoml");
    expect(bentoml?.version).toMatch(/^1\./);
    expect(bentoml?.address).toBeNull();
    expect(bentoml?.sha256[0]).toMatch(/^[0-9a-f]{64}$/);
    await expect(packager.listPackages("no tag")).rejects.toMatchObject({
      code: "endpoint_creation_failed",
    });
  });

  it("says of a bento that is in no store that no server could be started, and makes nothing for it", async () => {
    const { packager } = given.subject();
    expect(await packager.isServable("e2i_nowhere:v1")).toBe(false);
    await expect(packager.prepareServing("e2i_nowhere:v1", patience())).rejects.toMatchObject({
      code: "endpoint_creation_failed",
    });
    await packager.packageModel(given.input("e2i_bare:v1"), patience());
    expect(await packager.isServable("e2i_nowhere:v1")).toBe(false);
  });
}

function describeRefusedBuilds(given: Given): void {
  it.each([
    "e2i",
    "e2i:",
    ":v1",
    "E2I:v1",
    "e2i:v1:v2",
    "../e2i:v1",
    "e2i:../v1",
    'e2i";x:v1',
    "e2i:v1\n",
    "e2i:latest",
    `e2i:${"v".repeat(64)}`,
  ])("refuses the tag %j", async (tag) => {
    const attempt = given.subject().packager.packageModel(given.input(tag), patience());
    await expect(attempt).rejects.toMatchObject({ code: "endpoint_creation_failed" });
    expect(await given.subject().packager.findPackage(tag)).toBeNull();
  });

  it.each([0, 1] as const)(
    "refuses unusable artifact %i with the reason, and leaves nothing",
    async (index) => {
      const { packager, unusable_paths } = given.subject();
      const attempt = packager.packageModel(
        given.input("e2i_unusable:v1", { model_path: unusable_paths[index] }),
        patience(),
      );
      await expect(attempt).rejects.toMatchObject({ code: "endpoint_creation_failed" });
      await expect(attempt).rejects.toThrow(/MLmodel/);
      expect(await packager.findPackage("e2i_unusable:v1")).toBeNull();
    },
  );

  it("does nothing once the deadline has passed", async () => {
    const attempt = given
      .subject()
      .packager.packageModel(given.input("e2i_late:v1"), { signal: AbortSignal.abort() });
    await expect(attempt).rejects.toMatchObject({ code: "service_unavailable" });
    expect(await given.subject().packager.findPackage("e2i_late:v1")).toBeNull();
  });
}
