import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { judgedReportSchema } from "../../../src/service/judged/judged_schemas.ts";
import { cli, jsonErrorOf, jsonOf } from "../../support/given/given_cli.ts";
import { ENDPOINT } from "../../support/given/given_deployer.ts";
import { givenRollout, look } from "../../support/given/given_rollout.ts";

test("a rollout is judged again by its name or its endpoint's, under the settings of a file or of flags", async () => {
  const given = await givenRollout();
  await look(given);
  await look(given);
  const { data } = await jsonOf(given, judgedReportSchema, "judge", ENDPOINT);
  expect(data.looks.length).toBeGreaterThan(1);
  expect(data.settings).toEqual(data.settled_by);
  expect(data.looks.map(({ verdict }) => verdict.outcome)).toEqual(
    data.looks.map(({ then }) => then.outcome),
  );

  const folder = await mkdtemp(join(tmpdir(), "judged-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, "policy.yaml");
  await writeFile(file, "judge:\n  minimum_samples: 1000000\n");
  const strict = await cli(given, ["judge", given.rolloutId, "--policy", file]);
  expect(strict).toMatchObject({ code: 0, err: "" });
  expect(strict.out).toContain("minimum_samples 1000000 instead of 50");
  expect(strict.out).toContain("of at least 1000000 samples at this step");
  expect(strict.out).toContain("It would not have failed.");

  await writeFile(file, "judge:\n  margins: 1\n");
  for (const [words, said] of [
    [["judge", given.rolloutId, "--policy", file], /policy\.yaml: no settings of the judge: .*margins/],
    [["judge", given.rolloutId, "--policy", join(folder, "none")], /cannot be read as JSON or YAML/],
    [["judge", given.rolloutId, "--margin", "0.005"], /margin 0\.005 is below its effect_floor 0\.01/],
    [["judge", given.rolloutId, "--samples", "few"], /invalid. Give a number without a unit/],
    [["judge", "rollout_none"], /There is no rollout rollout_none/],
  ] as const) {
    const { error } = await jsonErrorOf(given, [...words]);
    expect(error.message).toMatch(said);
    expect(error.retryable).toBe(false);
  }
});
