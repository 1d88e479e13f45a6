import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { EnforcedPolicies } from "../../support/given/enforced_policies.ts";
import { givenSecrets } from "../../support/given/given_secrets.ts";
import { createApi } from "../../../src/api/api.ts";
import { listen } from "../../../src/api/api_server.ts";
import { cli, normalised, type Printed } from "../../support/given/given_cli.ts";
import {
  ENDPOINT,
  EXPERIMENT,
  type GivenDeployer,
  givenDeployer,
} from "../../support/given/given_deployer.ts";

const ANA = "ana-has-a-long-secret";
const EVE = "eve-has-a-long-secret";

type Run = (words: string[], token?: string) => Promise<Printed>;

/** A deployer, and its command line with the database at hand. */
async function here(): Promise<{ given: GivenDeployer; run: Run }> {
  const given = await givenDeployer();
  await given.db.principals.enrol("ana", ANA, { roles: ["administrator"] });
  await given.db.principals.enrol("eve", EVE, { roles: ["viewer"] });
  return { given, run: (words, token = ANA) => cli(given, words, { MODEL_DEPLOYER_TOKEN: token }) };
}

/** Another one, whose command line has the API's address and nothing else. */
async function elsewhere(): Promise<{ given: GivenDeployer; run: Run; url: string }> {
  const { given } = await here();
  const { server, router, db: database, capabilities } = given;
  const ingress = new EnforcedPolicies(database.ingressPolicies);
  const source = {
    database,
    server,
    router,
    ingress,
    shortages: async () => [],
    underWay: async () => [],
  };
  const { parts, settings } = capabilities;
  const api = createApi({
    deployer: { parts: { ...parts, ingress }, settings, database, secrets: givenSecrets() },
    statusSource: source,
    version: "0.0.0",
    onUnexpected: (error) => expect.fail(String(error)),
  });
  const listening = await listen(api, { host: "127.0.0.1", port: 0 });
  onTestFinished(() => listening.close());
  const { url } = listening;
  const run: Run = (words, token = ANA) =>
    cli(given, words, { MODEL_DEPLOYER_TOKEN: token, MODEL_DEPLOYER_URL: url });
  return { given, run, url };
}

/** What is asked for in the name of the first version, once there is one. */
const SCENARIO: string[][] = [
  ["experiments", "list"],
  ["experiments", "show", EXPERIMENT],
  ["experiments", "create", "relapse", "--name", "Relapse", "--target", "relapse", "--criterion", "auc>=0.8"],
  ["experiments", "show", "relaps"],
  ["policy", "set", "relapse", "--reason", "two of us", "--approvals", "2"],
  ["policy", "set", "relapse", "--reason", "too short", "--shadow-hours", "1"],
  ["policy", "show", "relapse"],
  ["plan", "register", EXPERIMENT, "run1"],
  ["apply", "register", EXPERIMENT, "run1"],
  ["apply", "register", EXPERIMENT, "no such run"],
  ["versions", EXPERIMENT],
  ["versions", "remision"],
  ["apply", "promote", "VERSION", "staging", "--reason", "a test"],
  ["apply", "promote", "VERSION", "production", "--reason", "too early"],
  ["apply", "deploy", "VERSION", "staging"],
  ["status"],
  ["status", "nowhere"],
  ["deployments", "nowhere"],
  ["history", EXPERIMENT],
  ["rollback", "nowhere", "--reason", "a test"],
  ["approve", "op_none", "--reason", "a test"],
  ["revoke", "op_none", "--reason", "a test"],
  ["principals", "grant", "eve", "operator", "--experiment", EXPERIMENT],
  ["principals", "grant", "nobody", "operator"],
  ["audit", "verify"],
  ["judge", ENDPOINT],
  ["judge", "rollout_none", "--alpha", "0.01"],
  ["outcomes", "show", "nowhere"],
  ["reconcile"],
  ["release", EXPERIMENT, "run1", "--wait", "0"],
  ["release", EXPERIMENT, "no such run"],
  ["outcomes", "show", ENDPOINT],
  ["notifications", "set", "pager", "--email", "ana@example.org", "--events", "rolled_back"],
  ["notifications", "set", "pager", "--slack", "ftp://example.org"],
  ["notifications", "list"],
  ["notifications", "retry", "pager"],
  ["notifications", "try", "nobody"],
  ["notifications", "remove", "pager"],
  ["notifications", "remove", "pager"],
  ["endpoints", "show", "nowhere"],
  ["endpoints", "set", ENDPOINT, "--callers", "keys", "--caller-rate", "5/m", "--reason", "partners alone"],
  ["endpoints", "set", ENDPOINT, "--rate", "0/s", "--reason", "nobody"],
  ["endpoints", "set", ENDPOINT, "--caller-rate", "none", "--callers", "everybody", "--reason", "all again"],
  ["endpoints", "keys", "make", ENDPOINT, "--name", "payer", "--expires", "30"],
  ["endpoints", "keys", "make", ENDPOINT, "--name", " "],
  ["endpoints", "keys", "revoke", ENDPOINT, "key_none"],
  ["endpoints", "show", ENDPOINT],
];

async function told({ given, run }: { given: GivenDeployer; run: Run }, words: string[]) {
  const [version] = await given.db.modelVersions.list(EXPERIMENT);
  const named = words.map((word) => (word === "VERSION" ? (version?.model_version_id ?? word) : word));
  const { code, out } = await run([...named, "--json"]);
  return { code, out: plain(out) };
}

/** Hashes, tokens and places of two deployers differ, and how long something took. */
const plain = (out: string): string =>
  normalised(out)
    .replaceAll(/\b[0-9a-f]{64}\b/g, "<hash>")
    .replaceAll(/token_[0-9a-f-]{36}/g, "<token>")
    .replaceAll(/"key": "[^"]+"/g, '"key": "<key>"')
    .replaceAll(/key_[\w-]{12}/g, "<key id>")
    .replaceAll(/"expires_at": "[^"]+"/g, '"expires_at": "<instant>"')
    .replaceAll(/"deployment_duration_seconds": [\d.]+/g, '"deployment_duration_seconds": 0')
    .replaceAll(/shadow for [\d.]+ s\b/g, "shadow for <time>")
    .replaceAll(/[\d.]+ h remain/g, "<time> remain")
    .replaceAll(/"(endpoint_url|url)": "[^"]*"/g, '"$1": "<url>"')
    .replaceAll(/127\.0\.0\.1:\d+/g, "<address>");

test("the same commands say the same with the database at hand and through the API", async () => {
  const [near, far] = await Promise.all([here(), elsewhere()]);
  for (const words of SCENARIO) {
    const [by_database, by_api] = [await told(near, words), await told(far, words)];
    expect(by_api, words.join(" ")).toEqual(by_database);
  }
});

test("what goes through no API refuses by its name, and needs no database to say so", async () => {
  const { run } = await elsewhere();
  for (const words of [["worker"], ["prune", "--plan"], ["rehearse"]]) {
    const { code, err } = await run(words);
    expect(code, words.join(" ")).toBe(2);
    expect(err).toContain(`${words[0]} does not go through the API`);
  }
});

test("rights hold through the API as they do beside it", async () => {
  const { run } = await elsewhere();
  const refused = await run(["apply", "register", EXPERIMENT, "run1"], EVE);
  expect(refused.code).toBe(3);
  expect(refused.err).toContain("eve may not act");
  expect((await run(["principals", "list"], EVE)).code).toBe(3);
  expect((await run(["versions", EXPERIMENT], EVE)).code).toBe(0);
});

test("a file of outcomes that are long lists goes through the API in bodies that it takes", async () => {
  const { run } = await elsewhere();
  const folder = await mkdtemp(join(tmpdir(), "outcomes-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, "outcomes.jsonl");
  const outcome = Array.from({ length: 5000 }, () => 0.5);
  const lines = Array.from({ length: 300 }, (_, index) =>
    JSON.stringify({ request_id: `r${index}`, outcome }),
  );
  await writeFile(file, lines.join("\n"));
  const { code, out } = await run(["outcomes", "import", file]);
  expect(code).toBe(0);
  expect(out).toMatch(/^300 new/);
});

test("an address that is wrong is told of, and gets no token", async () => {
  const { given } = await here();
  const at = (MODEL_DEPLOYER_URL: string) =>
    cli(given, ["versions", EXPERIMENT], { MODEL_DEPLOYER_URL, MODEL_DEPLOYER_TOKEN: ANA });
  const plainText = await at("http://deployer.example.org");
  expect(plainText.code).toBe(2);
  expect(plainText.err).toContain("https://");
  const nobody = await at("http://127.0.0.1:9");
  expect(nobody.code).toBe(6);
  expect(nobody.err).toContain("does not answer");
  const unnamed = await cli(given, ["versions", EXPERIMENT], { MODEL_DEPLOYER_URL: "http://127.0.0.1:9" });
  expect(unnamed.code).toBe(3);
});
