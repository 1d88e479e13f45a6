import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { cli } from "../../../support/given/given_cli.ts";
import { ENDPOINT, EXPERIMENT } from "../../../support/given/given_deployer.ts";
import { ANA, elsewhere, EVE, givenFolder, here, sayTheSame } from "./both_ways.ts";

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

test("the same commands say the same with the database at hand and through the API", async () => {
  await sayTheSame(await here(), await elsewhere(), SCENARIO);
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

test("queries of the team's metrics are read where they are typed, and checked where the deployer runs", async () => {
  const file = join(await givenFolder(), "metrics.yaml");
  const written = (query: string) => writeFile(file, `complaints: { query: "${query}", worse: higher }`);
  await written("sum(complaints{v='{{version}}'}");
  const words = ["policy", "set", EXPERIMENT, "--reason", "they complain", "--metrics"];
  const { run } = await elsewhere();
  const unread = await run([...words, `${file}.none`]);
  expect(unread.err).toContain("cannot be read");
  const refused = await run([...words, file]);
  expect(refused.code).toBe(2);
  expect(refused.err).toContain("The metric complaints:");
  await written("sum(complaints{v='{{version}}'})");
  expect((await run([...words, file])).code).toBe(0);
});

test("a file of outcomes that are long lists goes through the API in bodies that it takes", async () => {
  const { run } = await elsewhere();
  const file = join(await givenFolder(), "outcomes.jsonl");
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
