import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pc from "picocolors";
import { afterEach, beforeEach, expect, test } from "vitest";
import { policyReport } from "../../../../src/cli/commands/settings/shown_policy.ts";
import { signersOf } from "../../../../src/cli/commands/settings/signers_option.ts";
import { errorOf } from "../../../../src/testing/index.ts";
import { aPolicy } from "../../../support/given/given_facts.ts";
import { newSigningKey } from "../../../support/signing/keys.ts";

const release = newSigningKey("release");
let folder = "";

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "model-deployer-signers-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function file(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

test("signers are files, identities, or names of those there are, and none asks for no signature", async () => {
  const { public_key } = release.signer;
  const path = await file("Our release 2027.pub", public_key);
  expect(await signersOf([path, "ci@example.org@https://id.example.org"], null)).toEqual([
    { kind: "key", name: "Our_release_2027", public_key },
    { kind: "identity", identity: "ci@example.org", issuer: "https://id.example.org" },
  ]);
  const workflow = "https://github.com/a/b/.github/workflows/x.yaml@refs/heads/main";
  expect(await signersOf([`${workflow}@https://token.example.org`], null)).toEqual([
    { kind: "identity", identity: workflow, issuer: "https://token.example.org" },
  ]);
  expect(await signersOf(["release"], [release.signer])).toEqual([release.signer]);
  expect(await signersOf(["none"], [release.signer])).toBeNull();
});

test("a file that is no public key is refused with the reason, and a private key is not repeated", async () => {
  const privateKey = await file("release.key", release.privateKey);
  const refused = await errorOf(signersOf([privateKey], null));
  expect(refused).toMatchObject({ code: "invalid_request" });
  expect(refused.message).toContain("holds a private key");
  expect(refused.message).not.toContain(release.privateKey.split("\n")[1]);
  const { public_key } = release.signer;
  for (const [given, why] of [
    [await file("two.pub", public_key + public_key), "holds several keys"],
    [await file("text.pub", "hello"), "holds no PEM"],
    [await file("cut.pub", "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n"), "cannot be read"],
    [await file("curve.pub", newSigningKey("x", "secp256k1").signer.public_key), "holds a key of secp256k1"],
    [join(folder, "nothing.pub"), "there is no such file, and no signer of that name"],
    ["ci@example.org", "there is no such file"],
  ] as const) {
    expect((await errorOf(signersOf([given], null))).message).toContain(why);
  }
});

test("a policy shows its signers, and each version that others signed with what becomes of it", () => {
  const { signer } = release;
  const short = `key release (${signer.fingerprint.slice(0, 8)})`;
  const lines = policyReport({
    experiment_id: "churn",
    gate_policy: aPolicy({ signers: [signer] }),
    versions_in_other_formats: [],
    deployments_on_other_engines: [],
    versions_signed_by_others: [
      { model_version_id: "mv_1", stage: "production", signed_by: ["key old (12345678)"] },
      { model_version_id: "mv_2", stage: "staging", signed_by: null },
    ],
  }).lines(pc.createColors(false), 120);
  expect(lines.find((line) => line.startsWith("  signed by"))).toContain(short);
  expect(lines.join("\n")).not.toContain("BEGIN PUBLIC KEY");
  expect(lines.slice(-2)).toEqual([
    "  mv_1 (production) was signed by key old (12345678): it is not deployed anew; where it serves, it goes on and comes back.",
    "  mv_2 (staging): its signature was not verified; it is before it is deployed anew.",
  ]);
});
