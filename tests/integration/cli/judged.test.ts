import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { disagreementsSchema } from "../../../src/service/rows/row_schemas.ts";
import { judgedReportSchema } from "../../../src/service/judging/judged_schemas.ts";
import { cli, jsonErrorOf, jsonOf } from "../../support/given/given_cli.ts";
import { ENDPOINT, EXPERIMENT, givenDeployer } from "../../support/given/given_deployer.ts";
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
  const other = join(folder, "other.yaml");
  await writeFile(
    other,
    "judge:\n  outcomes: { measure: brier, minimum_outcomes: 100, margin: 0.05, worse_by: 0.02, sample: 0.1 }\n",
  );
  for (const [words, said] of [
    [["judge", given.rolloutId, "--policy", file], /policy\.yaml: no settings of the judge: .*margins/],
    [["judge", given.rolloutId, "--policy", join(folder, "none")], /cannot be read as JSON or YAML/],
    [["judge", given.rolloutId, "--margin", "0.005"], /margin 0\.005 is below its effect_floor 0\.01/],
    [["judge", given.rolloutId, "--samples", "few"], /invalid. Give a number without a unit/],
    [["judge", given.rolloutId, "--policy", other], /compared outcomes by nothing: looks keep no others/],
    [["judge", "rollout_none"], /There is no rollout rollout_none/],
  ] as const) {
    const { error } = await jsonErrorOf(given, [...words]);
    expect(error.message).toMatch(said);
    expect(error.retryable).toBe(false);
  }
});

test("where servers keep no rows each command that needs them says so by name, and a policy asks for none in vain", async () => {
  const given = await givenRollout();
  const none = "this engine's servers keep no rows";
  const local = await jsonOf(given, disagreementsSchema, "disagreements", ENDPOINT);
  expect(local.data.why_none).toContain(
    "the policy of remission asks for none; policy set remission --rows 0.01 does",
  );

  const elsewhere = { ...given, rowServers: null };
  const asked = await jsonOf(elsewhere, disagreementsSchema, "disagreements", ENDPOINT);
  expect(asked.data).toMatchObject({ kept: 0, disagreements: [] });
  expect(asked.data.why_none).toContain(none);
  const replay = await jsonErrorOf(elsewhere, ["replay", "mv_none", "--from", ENDPOINT]);
  expect(replay.error).toMatchObject({ code: "invalid_request", retryable: false });
  expect(replay.error.message).toContain(none);
  const policy = ["policy", "set", EXPERIMENT, "--reason", "rows"];
  const set = await jsonErrorOf(elsewhere, [...policy, "--rows", "0.01"]);
  expect(set.error).toMatchObject({ code: "invalid_request", retryable: false });
  expect(set.error.message).toContain("this engine's servers log no inputs");
  expect(await cli(elsewhere, [...policy, "--rows", "none"])).toMatchObject({ code: 0 });
});

test("a policy's settings of the judge are refused by the value that is wrong, and none of them is kept", async () => {
  const given = await givenDeployer();
  for (const [flag, values, said] of [
    ["alpha", ["0", "-1", "0.5"], "alpha"],
    ["margin", ["0", "2", "-0.1", "0.005"], "margin"],
    ["samples", ["0", "1.5", "-3", "1e300", "9007199254740993"], "minimum_samples"],
    ["effect-floor", ["-0.01", "0.5", "0.05"], "effect_floor"],
    ["inconclusive-looks", ["0", "1e20"], "maximum_inconclusive_looks"],
    ["outcomes", ["accuracy,margin=0.005", "absolute_error,margin=0.1"], "margin"],
    ["when-inconclusive", ["go_on", ""], "name roll_back, pause or hold"],
  ] as const) {
    for (const value of values) {
      const words = ["policy", "set", EXPERIMENT, "--reason", "try", `--${flag}=${value}`];
      const { error } = await jsonErrorOf(given, words);
      expect(error, `${flag} ${value}`).toMatchObject({ code: "invalid_request", retryable: false });
      expect(error.message, `${flag} ${value}`).toContain(said);
    }
  }
  expect((await given.db.experiments.getGatePolicy(EXPERIMENT)).judge).toEqual({});
});
