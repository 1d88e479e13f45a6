import { mkdtemp, writeFile } from "node:fs/promises";
import { generateKeyPairSync } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ingressReportSchema, newKeyReportSchema } from "../../../src/service/ingress/ingress_schemas.ts";
import { statusReportSchema } from "../../../src/service/report_schemas.ts";
import { cli, jsonErrorOf, jsonOf } from "../../support/given/given_cli.ts";
import { ENDPOINT } from "../../support/given/given_deployer.ts";
import { givenRollout } from "../../support/given/given_rollout.ts";

const because = ["--reason", "partners alone"];

test("keys are demanded, made, shown once, listed and revoked", async () => {
  const given = await givenRollout();
  const show = () => jsonOf(given, ingressReportSchema, "endpoints", "show", ENDPOINT);
  expect((await show()).data).toMatchObject({ revision: 0, enforced: 0, policy: { keys: false }, keys: [] });
  const set = ["endpoints", "set", ENDPOINT, "--callers", "keys", "--caller-rate", "5/m", ...because];
  expect((await jsonOf(given, ingressReportSchema, ...set)).data).toMatchObject({ revision: 1, enforced: 1 });
  const make = (name: string) => ["endpoints", "keys", "make", ENDPOINT, "--name", name, "--expires", "30"];
  const { data: made } = await jsonOf(given, newKeyReportSchema, ...make("payer"));
  await jsonOf(given, newKeyReportSchema, ...make("payer, next year"));
  expect(made.enforced).toBe(2);
  const { out } = await cli(given, ["endpoints", "show", ENDPOINT]);
  expect(out).toContain("payer, next year");
  expect(out).not.toContain(made.key);
  const rows = await given.world.sql("select row_to_json(k)::text as row from ml_api_keys k");
  expect(JSON.stringify(rows)).toContain(made.key_id);
  for (const part of made.key.split(".").slice(1)) expect(JSON.stringify(rows)).not.toContain(part);
  await jsonOf(given, ingressReportSchema, "endpoints", "keys", "revoke", ENDPOINT, made.key_id);
  const { data } = await show();
  expect(data).toMatchObject({ revision: 4, enforced: 4 });
  expect(data.keys.map(({ is_in_force }) => is_in_force)).toEqual([false, true]);
  const { wanted } = given.database.ingressPolicies;
  expect((await wanted.call(given.database.ingressPolicies, ENDPOINT)).keys).toHaveLength(1);
  const { data: status } = await jsonOf(given, statusReportSchema, "status", ENDPOINT);
  expect(status.endpoints[0]?.ingress).toMatchObject({ revision: 4, enforced: 4, policy: { keys: true } });
  expect((await cli(given, ["status", ENDPOINT])).out).toMatch(/callers +a key, 5\/m for each caller/);
});

/** Each with its name, its options, and the sentence that refuses it. */
async function refusedPolicies(): Promise<[what: string, options: string[], sentence: RegExp][]> {
  const folder = await mkdtemp(join(tmpdir(), "model-deployer-ingress-"));
  const file = async (name: string, text: string) => {
    await writeFile(join(folder, name), text);
    return join(folder, name);
  };
  const short = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey.export({ format: "jwk" });
  const own = generateKeyPairSync("ed25519").privateKey.export({ format: "jwk" });
  const tokens = ["--callers", "tokens", "--issuer", "https://id", "--audience", "churn"];
  const jwks = async (name: string, text: string) => [...tokens, "--jwks", await file(name, text)];
  return [
    ["a rate of 0", ["--rate", "0/s"], /--rate 0\/s: write/],
    ["a negative rate", ["--rate=-1/s"], /--rate -1\/s: write/],
    ["no connection", ["--connections", "0"], /--connections 0: a whole number above 0/],
    ["a body beyond the servers' own bound", ["--body-bytes", "999999999"], /limits\.body_bytes/],
    ["a limit for callers that nobody tells apart", ["--caller-rate", "1/s"], /demand one/],
    ["callers of no kind", ["--callers", "friends"], /everybody, or keys, tokens/],
    ["everybody and keys", ["--callers", "everybody", "keys"], /everybody, or keys, tokens/],
    ["tokens without their keys", tokens, /need --issuer, --audience and --jwks/],
    ["keys that are no JSON", await jwks("text", "no JSON"), /no JSON Web Key Set/],
    ["no key", await jwks("none", '{"keys": []}'), /no JSON Web Key Set/],
    ["a shared secret", await jwks("oct", '{"keys": [{"kty": "oct", "k": "AA"}]}'), /no JSON Web Key Set/],
    ["a key too short", await jwks("short", JSON.stringify({ keys: [short] })), /1024 bits: 2048/],
    ["a private key", await jwks("own", JSON.stringify({ keys: [own] })), /private half/],
    [
      "a key that is none",
      await jwks("not", '{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}'),
      /that is none/,
    ],
    ["a file that is not there", [...tokens, "--jwks", join(folder, "away")], /cannot be read/],
    ["an address without TLS", [...tokens, "--jwks", "http://id.example.org/jwks"], /without TLS/],
    ["an address where nothing answers", [...tokens, "--jwks", "http://127.0.0.1:9/jwks"], /cannot be read/],
    ["an issuer that is not seen", [...tokens.with(3, "a\u202eb"), "--jwks", "/x"], /.+/],
    ["a certificate without its key", ["--certificate", join(folder, "away")], /go together/],
    [
      "a certificate that is not there",
      ["--certificate", "/away", "--certificate-key", "/away"],
      /cannot be read/,
    ],
  ];
}

test("what makes no sense is refused by name, and changes nothing", async () => {
  const given = await givenRollout();
  for (const [what, options, sentence] of await refusedPolicies()) {
    const { code, error } = await jsonErrorOf(given, ["endpoints", "set", ENDPOINT, ...options, ...because]);
    expect([what, code, error.code]).toEqual([what, 2, "invalid_request"]);
    expect(error.message, what).toMatch(sentence);
  }
  const key = ["endpoints", "keys", "make", ENDPOINT, "--name"];
  for (const words of [
    [" "],
    ["a\u0007b"],
    ["x".repeat(101)],
    ["x", "--expires", "0"],
    ["x", "--expires=-3"],
  ]) {
    expect((await jsonErrorOf(given, [...key, ...words])).error.code).toBe("invalid_request");
  }
  const unknown = await jsonErrorOf(given, ["endpoints", "keys", "revoke", ENDPOINT, "key_of_another"]);
  expect(unknown.error).toMatchObject({ code: "not_found" });
  expect((await jsonErrorOf(given, ["endpoints", "show", "e2i_nowhere"])).error.code).toBe("not_found");
  expect(await given.database.ingressPolicies.wanted(ENDPOINT)).toMatchObject({ revision: 0, keys: [] });
});
