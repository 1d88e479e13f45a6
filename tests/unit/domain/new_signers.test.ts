import { expect, test } from "vitest";
import {
  type NewGatePolicy,
  STANDARD_GATE_POLICY,
} from "../../../src/agents/model_deployer/domain/models/gate_policy.ts";
import { newGatePolicy } from "../../../src/database/gate_policy_rows.ts";
import { errorOf } from "../../../src/testing/index.ts";
import { newSigningKey } from "../../support/signing/keys.ts";

const release = newSigningKey("release");
const other = newSigningKey("other");
const { policy_id: _, ...standard } = STANDARD_GATE_POLICY;
const { name, public_key, fingerprint } = release.signer;
const key = (pem: string, more = {}) => ({ kind: "key" as const, name, public_key: pem, ...more });
const setting = async (signers: NewGatePolicy["signers"]) =>
  newGatePolicy({ ...standard, ...(signers !== undefined && { signers }) });

test("a policy is stored with the fingerprints of its keys, whether they were given or not", async () => {
  expect((await setting([key(public_key)])).signers).toEqual([release.signer]);
  expect((await setting([key(public_key, { fingerprint })])).signers).toEqual([release.signer]);
  expect((await setting(undefined)).signers).toBeNull();
});

test.each<[string, NewGatePolicy["signers"], string]>([
  ["no PEM", [key("no key")], "holds no PEM"],
  ["a private key", [key(release.privateKey)], "holds a private key"],
  [
    "a wrong fingerprint",
    [key(public_key, { fingerprint: "0".repeat(64) })],
    `has the fingerprint ${fingerprint}`,
  ],
  [
    "a key as a certificate",
    [{ kind: "certificate", name, certificates: public_key }],
    "is no certificate, but a key",
  ],
  ["a name twice", [key(public_key), key(other.signer.public_key)], "release is the name of two"],
  ["nobody", [], "signers"],
])("a policy with %s is refused with the reason, and repeats no private key", async (_what, signers, why) => {
  const refused = await errorOf(setting(signers));
  expect(refused).toMatchObject({ code: "invalid_request" });
  expect(refused.message).toContain(why);
  expect(JSON.stringify([refused.message, refused.details])).not.toContain(
    release.privateKey.split("\n")[1] ?? "",
  );
});
