import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { OPEN_INGRESS } from "../../../src/agents/model_deployer/domain/access/ingress_policy.ts";
import { setIngress } from "../../../src/service/ingress/ingress_administration.ts";
import { renewJwks } from "../../../src/service/ingress/renewed_jwks.ts";
import { EnforcedPolicies } from "../../support/given/enforced_policies.ts";
import { createTestDeployer, ENDPOINT, EXPERIMENT, inProduction } from "../../../src/testing/index.ts";

const signal = AbortSignal.timeout(600_000);

function newJwk(kid: string) {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { ...publicKey.export({ format: "jwk" }), kid, kty: "EC" as const };
}

/** An endpoint that takes tokens by the keys in a file. */
async function givenIssuer() {
  const given = await createTestDeployer();
  await inProduction(given, "run1");
  const folder = await mkdtemp(join(tmpdir(), "jwks-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const source = join(folder, "jwks.json");
  const { database } = given;
  const ingress = new EnforcedPolicies(database.ingressPolicies);
  const parts = { database, ingress };
  const write = (...keys: object[]) => writeFile(source, JSON.stringify({ keys }));
  const wanted = () => database.ingressPolicies.wanted(ENDPOINT);
  const kids = async () => (await wanted()).policy.tokens?.jwks.keys.map(({ kid }) => kid);
  const jwk = newJwk("first");
  await write(jwk);
  const tokens = { issuer: "https://id", audience: "churn", source, jwks: { keys: [jwk] } };
  const endpoint = { endpoint_name: ENDPOINT, experiment_id: EXPERIMENT, endpoint_url: null };
  const why = { reason: "callers sign in", by: { who: "ana", origin: null } };
  await setIngress(endpoint, { ...OPEN_INGRESS, tokens }, why, parts, signal);
  return { parts, write, source, wanted, kids, enforced: () => ingress.enforced(ENDPOINT) };
}

test("an issuer's new key is taken and its old one is not, once its keys are read anew", async () => {
  const { parts, write, wanted, kids, enforced } = await givenIssuer();
  expect(await renewJwks(parts, signal)).toEqual([]);
  const before = (await wanted()).revision;
  await write(newJwk("second"));
  const [sentence] = await renewJwks(parts, signal);
  expect(sentence).toContain(`the keys of https://id for ${ENDPOINT} were read anew`);
  expect(await kids()).toEqual(["second"]);
  expect(await enforced()).toBe(before + 1);
  expect(await renewJwks(parts, signal)).toEqual([]);
});

test("keys that cannot be read, or are none, leave those that are known, and it is told", async () => {
  const { parts, write, source, kids } = await givenIssuer();
  await write({ kty: "RSA", n: "AQAB", e: "AQAB" });
  expect((await renewJwks(parts, signal)).join()).toContain("those that are known go on");
  await rm(source);
  expect((await renewJwks(parts, signal)).join()).toContain("cannot be read");
  expect(await kids()).toEqual(["first"]);
});
