import { execFile } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Signer } from "../../../src/agents/model_deployer/domain/models/signers.ts";
import { readPem } from "../../../src/platform/signing_keys.ts";
import { errorOf } from "../../../src/testing/index.ts";
import { newSigningKey } from "../../support/signing/keys.ts";
import {
  signByProgram,
  signingEnvironment,
  unsignedModel,
  verifiedSigner,
} from "../../support/signing/model_signing.ts";

const run = promisify(execFile);
const release = newSigningKey("release");
let folder = "";
let model = "";

beforeEach(async () => {
  ({ folder, model } = await unsignedModel());
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

const verify = (signers: Signer[], trustedRoot: string | null = null) =>
  verifiedSigner(model, signers, trustedRoot);

/** Makes an authority of that name, and a key of somebody whom it has certified. */
async function authority(name: string): Promise<Signer> {
  const at = (file: string) => join(folder, `${name}${file}`);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const own = [
    "-keyout",
    at("-ca.key"),
    "-out",
    at("-ca.crt"),
    "-days",
    "2",
    "-subj",
    `/O=${name}/CN=authority`,
  ];
  await run("openssl", ["req", "-x509", ...key, ...own]);
  const subject = ["-subj", `/O=${name}/CN=models`];
  await run("openssl", ["req", ...key, "-keyout", at(".key"), "-out", at(".csr"), ...subject]);
  await writeFile(at(".ext"), "keyUsage=digitalSignature\nextendedKeyUsage=codeSigning\n");
  await run("openssl", [
    ...["x509", "-req", "-in", at(".csr"), "-CA", at("-ca.crt"), "-CAkey", at("-ca.key"), "-CAcreateserial"],
    ...["-days", "1", "-extfile", at(".ext"), "-out", at(".crt")],
  ]);
  const certificates = await readFile(at("-ca.crt"), "utf8");
  const read = readPem(certificates);
  return {
    kind: "certificate",
    name,
    certificates,
    fingerprint: read.kind === "certificate" ? read.fingerprint : "",
  };
}

test("a certificate's signature is its authority's, with the subject that signed", async () => {
  const [ours, theirs] = [await authority("ours"), await authority("theirs")];
  const at = (file: string) => join(folder, file);
  await signByProgram(model, [
    "certificate",
    ...[
      "--private_key",
      at("ours.key"),
      "--signing_certificate",
      at("ours.crt"),
      "--certificate_chain",
      at("ours-ca.crt"),
    ],
  ]);
  expect(await verify([theirs, ours])).toMatchObject({
    kind: "certificate",
    name: "ours",
    subject: "CN=models,O=ours",
  });
  expect(await errorOf(verify([theirs]))).toMatchObject({ details: { problem: "not_allowed" } });
  expect(await errorOf(verify([release.signer]))).toMatchObject({ details: { problem: "not_allowed" } });
});

test("an identity is verified by a trusted root that was brought, and a key's signature is no identity's", async () => {
  await writeFile(join(folder, "release.pem"), release.privateKey);
  await signByProgram(model, ["key", "--private_key", join(folder, "release.pem")]);
  const ci: Signer = { kind: "identity", identity: "ci@example.org", issuer: "https://id.example.org" };
  const without = await errorOf(verify([ci]));
  expect(without).toMatchObject({ code: "configuration" });
  expect(without.message).toContain("MODEL_DEPLOYER_SIGSTORE_TRUSTED_ROOT");
  const unreadable = await errorOf(verify([ci], join(folder, "nothing.json")));
  expect(unreadable).toMatchObject({ code: "configuration" });
  const { directory } = await signingEnvironment();
  const { stdout } = await run("find", [directory, "-path", "*sigstore.dev*", "-name", "trusted_root.json"]);
  const refused = await errorOf(verify([ci], stdout.trim()));
  expect(refused).toMatchObject({ code: "artifact_rejected", details: { problem: "not_allowed" } });
  expect(refused.message).toContain("ci@example.org, certified by https://id.example.org");
  expect(await verify([ci, release.signer], stdout.trim())).toMatchObject({ name: "release" });
});
