import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { z } from "zod";
import { replaySchema } from "../../../../src/service/rows/row_schemas.ts";
import { ENDPOINT, EXPERIMENT } from "../../../support/given/given_deployer.ts";
import { keepRows } from "../../../support/given/given_rows.ts";
import { elsewhere, EVE, givenFolder, here, sayTheSame } from "./both_ways.ts";

const STAGING = `${ENDPOINT}_staging`;

test("rows are compared and sent alike with the database at hand and through the API, and refused alike", async () => {
  const folder = await givenFolder();
  const file = join(folder, "rows.jsonl");
  const broken = join(folder, "broken.jsonl");
  const empty = join(folder, "empty.jsonl");
  await writeFile(file, '{"path": "/predict", "input": {"age": 1}}\n\n{"path": "/predict", "input": [2]}\n');
  await writeFile(broken, '{"path": "/predict", "input": 1}\n{"input": 2}\n');
  await writeFile(empty, "\n");
  const [near, far] = [await here(), await elsewhere()];
  const replay = (from: string, ...more: string[]) => ["replay", "VERSION", "--from", from, ...more];
  const refused = await sayTheSame(near, far, [
    ["disagreements", "nowhere"],
    ["replay", "mv_none", "--from", STAGING],
    ["apply", "register", EXPERIMENT, "run1"],
    replay(file),
    ["apply", "promote", "VERSION", "staging", "--reason", "a test"],
    ["apply", "deploy", "VERSION", "staging"],
    replay("nowhere"),
    replay(STAGING),
    ["disagreements", STAGING],
    ["policy", "set", EXPERIMENT, "--rows", "1", "--reason", "rows"],
    replay(STAGING),
  ]);
  expect(refused).toEqual([3, 3, 0, 3, 0, 0, 3, 3, 0, 0, 3]);
  for (const { given } of [near, far]) {
    const [version] = await given.db.modelVersions.list(EXPERIMENT);
    const [one] = await given.db.deployments.listForVersion(version?.model_version_id ?? "");
    const id = one?.deployment_id ?? expect.fail("nothing is served");
    await keepRows(given.db, 1, [id], STAGING);
    given.server.answerRows((_, { input }) =>
      Array.isArray(input) ? { status: 400, body: "no" } : { status: 200, body: JSON.stringify(input) },
    );
  }
  const sent = await sayTheSame(near, far, [
    ["disagreements", STAGING],
    ["disagreements", STAGING, "--limit", "0"],
    replay(STAGING),
    replay(STAGING, "--limit", "10001"),
    replay(file),
    replay(file, "--limit", "1"),
    replay(broken),
    replay(broken, "--limit", "1"),
    replay(empty),
    replay(folder),
    replay(join(folder, "none.jsonl")),
  ]);
  expect(sent).toEqual([0, 2, 0, 2, 0, 0, 2, 0, 2, 2, 2]);
  for (const { given, run } of [near, far]) {
    const [version] = await given.db.modelVersions.list(EXPERIMENT);
    const { code, err } = await run(["replay", version?.model_version_id ?? "", "--from", file], EVE);
    expect(code).toBe(3);
    expect(err).toContain("eve may not act for remission");
  }
});

test("a file of rows that is larger than a body goes through the API in several, and is answered as a whole", async () => {
  const { given, run } = await elsewhere();
  const file = join(await givenFolder(), "rows.jsonl");
  const input = Array.from({ length: 5000 }, () => 0.5);
  const lines = Array.from({ length: 300 }, (_, index) =>
    JSON.stringify({ request_id: `r${index}`, path: "/predict", input }),
  );
  await writeFile(file, lines.join("\n"));
  await run(["apply", "register", EXPERIMENT, "run1"]);
  const [version] = await given.db.modelVersions.list(EXPERIMENT);
  const id = version?.model_version_id ?? expect.fail("nothing is registered");
  await run(["apply", "promote", id, "staging", "--reason", "a test"]);
  await run(["apply", "deploy", id, "staging"]);
  const { code, out } = await run(["replay", id, "--from", file, "--limit", "1000", "--json"]);
  expect(code).toBe(0);
  const { data } = z.object({ data: replaySchema }).parse(JSON.parse(out));
  expect(data).toMatchObject({ from: file, chosen: 300, sent: 300, failed: 0, why_partial: null });
  expect(data.rows.map(({ request_id }) => request_id)).toEqual(lines.map((_, index) => `r${index}`));
});
