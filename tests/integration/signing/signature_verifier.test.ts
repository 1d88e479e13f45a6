import { cp, mkdir, readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Signer } from "../../../src/agents/model_deployer/domain/models/signers.ts";
import { errorOf, signedFiles } from "../../../src/testing/index.ts";
import { newSigningKey } from "../../support/signing/keys.ts";
import { signByProgram, unsignedModel, verifiedSigner } from "../../support/signing/model_signing.ts";

const release = newSigningKey("release");
let folder = "";
let model = "";

beforeEach(async () => {
  ({ folder, model } = await unsignedModel());
  await writeFile(join(folder, "release.pem"), release.privateKey);
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

const weightsIn = (target: string): string => join(target, "data", "weights.bin");
const signByKey = (target = model) =>
  signByProgram(target, ["key", "--private_key", join(folder, "release.pem")]);
const verify = (signers: Signer[]) => verifiedSigner(model, signers);

async function problemOf(signers: Signer[]): Promise<{ problem: unknown; message: string }> {
  const error = await errorOf(verify(signers));
  expect(error).toMatchObject({ code: "artifact_rejected", retryable: false });
  return { problem: error.details["problem"], message: error.message };
}

test("a folder that model-signing signed by a key is its signer's, whoever else may sign", async () => {
  await signByKey();
  const other = newSigningKey("other", "P-521");
  expect(await verify([other.signer, release.signer])).toEqual({
    kind: "key",
    name: "release",
    signer: release.signer.fingerprint,
    subject: null,
  });
  const refused = await problemOf([other.signer]);
  expect(refused.problem).toBe("not_allowed");
  expect(refused.message).toContain("key other");
});

test("a signature that was written beside the folder and put into it later is taken too", async () => {
  await signByProgram(
    model,
    ["key", "--private_key", join(folder, "release.pem")],
    join(folder, "later.sig"),
  );
  await cp(join(folder, "later.sig"), join(model, "model.sig"));
  expect(await verify([release.signer])).toMatchObject({ name: "release" });
  await writeFile(join(model, "extra.py"), "evil");
  expect((await problemOf([release.signer])).message).toContain("extra.py");
});

test.each<[string, (target: string) => Promise<unknown>, string, string]>([
  [
    "an altered file",
    (target) => writeFile(weightsIn(target), "0123456780"),
    "files_differ",
    "altered: data/weights.bin",
  ],
  [
    "an added file",
    (target) => writeFile(join(target, "extra.py"), "evil"),
    "files_differ",
    "added: extra.py",
  ],
  ["a missing file", (target) => rm(weightsIn(target)), "files_differ", "missing: data/weights.bin"],
  [
    "a link in a file's place",
    async (target) => {
      await rename(weightsIn(target), join(folder, "elsewhere"));
      await symlink(join(folder, "elsewhere"), weightsIn(target));
    },
    "files_differ",
    "data/weights.bin is a link",
  ],
  [
    "a link to a folder",
    (target) => symlink(tmpdir(), join(target, "code")),
    "files_differ",
    "code is a link",
  ],
  [
    "a file that the program leaves out",
    async (target) => {
      await mkdir(join(target, ".git"));
      await writeFile(join(target, ".git", "hook.py"), "evil");
    },
    "files_not_covered",
    ".git/hook.py",
  ],
])("%s is refused, and it is said which and how", async (_what, change, problem, said) => {
  await signByKey();
  await change(model);
  const refused = await problemOf([release.signer]);
  expect(refused.problem).toBe(problem);
  expect(refused.message).toContain(said);
});

test("the signature of another model of the same signer is no signature of this one", async () => {
  const another = join(folder, "another");
  await mkdir(another);
  await writeFile(join(another, "MLmodel"), "flavors: {other: {}}\n");
  await signByKey(another);
  await cp(join(another, "model.sig"), join(model, "model.sig"));
  expect(await problemOf([release.signer])).toMatchObject({ problem: "files_differ" });
});

test("what is no signature is refused without being believed, and what is too large is not read", async () => {
  expect(await problemOf([release.signer])).toMatchObject({ problem: "missing" });
  const file = join(model, "model.sig");
  const bundle = (payload: string) =>
    JSON.stringify({ verificationMaterial: {}, dsseEnvelope: { payload, signatures: [] } });
  for (const [text, problem] of [
    ["", "unreadable"],
    ["trust me", "unreadable"],
    ["[]", "unreadable"],
    ["null", "unreadable"],
    ["{}", "unreadable"],
    ["[".repeat(200_000), "unreadable"],
    [bundle("not base64!"), "unreadable"],
    [bundle("e30="), "not_allowed"],
  ] as const) {
    await writeFile(file, text);
    expect(await problemOf([release.signer]), text.slice(0, 20)).toMatchObject({ problem });
  }
  await truncate(file, 17 * 1024 ** 2);
  expect(await problemOf([release.signer])).toMatchObject({ problem: "unreadable" });
  await rm(file);
  await symlink(join(folder, "release.pem"), file);
  expect((await problemOf([release.signer])).message).toContain("no regular file");
});

test("a signature whose words were altered after it was made is nobody's", async () => {
  await signByKey();
  const file = join(model, "model.sig");
  const bundle = await readFile(file, "utf8");
  const payload = /"payload":"([^"]+)"/.exec(bundle)?.[1] ?? "";
  const statement = Buffer.from(payload, "base64").toString().replace("MLmodel", "MLmodeI");
  await writeFile(file, bundle.replace(payload, Buffer.from(statement).toString("base64")));
  expect(await problemOf([release.signer])).toMatchObject({ problem: "not_allowed" });
});

test("the kit signs as the program does", async () => {
  const files = { MLmodel: "flavors: {}\n", "data/weights.bin": "0123456789" };
  const signed = signedFiles(files, release.privateKey);
  await writeFile(join(model, "model.sig"), signed["model.sig"] ?? "");
  expect(await verify([release.signer])).toMatchObject({ name: "release" });
});
