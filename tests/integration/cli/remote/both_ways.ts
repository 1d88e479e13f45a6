import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { createApi } from "../../../../src/api/api.ts";
import { listen } from "../../../../src/api/api_server.ts";
import { EnforcedPolicies } from "../../../support/given/enforced_policies.ts";
import { cli, normalised, type Printed } from "../../../support/given/given_cli.ts";
import { EXPERIMENT, type GivenDeployer, givenDeployer } from "../../../support/given/given_deployer.ts";
import { givenSecrets } from "../../../support/given/given_secrets.ts";

export const ANA = "ana-has-a-long-secret";
export const EVE = "eve-has-a-long-secret";

type Run = (words: string[], token?: string) => Promise<Printed>;
interface Commanded {
  given: GivenDeployer;
  run: Run;
}

/** A deployer, and its command line with the database at hand. */
export async function here(): Promise<Commanded> {
  const given = await givenDeployer();
  await given.db.principals.enrol("ana", ANA, { roles: ["administrator"] });
  await given.db.principals.enrol("eve", EVE, { roles: ["viewer"] });
  return { given, run: (words, token = ANA) => cli(given, words, { MODEL_DEPLOYER_TOKEN: token }) };
}

/** Another one, whose command line has the API's address and nothing else. */
export async function elsewhere(): Promise<Commanded> {
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
  return { given, run };
}

async function told({ given, run }: Commanded, words: string[]) {
  const [version] = await given.db.modelVersions.list(EXPERIMENT);
  const named = words.map((word) => (word === "VERSION" ? (version?.model_version_id ?? word) : word));
  const { code, out } = await run([...named, "--json"]);
  return { code, out: plain(out) };
}

/** Hashes, tokens and places of two deployers differ, how long something took, and what others make on the machine. */
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
    .replaceAll(/127\.0\.0\.1:\d+/g, "<address>")
    .replaceAll(/"under_way": \[[^\]]*\]/g, '"under_way": []');

/** Runs each command in both ways, one after another. @returns the code that each ended with */
export async function sayTheSame(near: Commanded, far: Commanded, scenario: string[][]): Promise<number[]> {
  const codes: number[] = [];
  for (const words of scenario) {
    const [by_database, by_api] = [await told(near, words), await told(far, words)];
    expect(by_api, words.join(" ")).toEqual(by_database);
    codes.push(by_api.code);
  }
  return codes;
}

/** A folder that goes with the test. */
export async function givenFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "remote-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
