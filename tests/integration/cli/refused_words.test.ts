import { expect, test } from "vitest";
import { cli, jsonErrorOf } from "../../support/given/given_cli.ts";
import { givenDeployer } from "../../support/given/given_deployer.ts";

test("values out of bounds are refused in words before the database is asked, and the version is told", async () => {
  const given = await givenDeployer();
  const words = ["experiments", "create", "odd", "--name", "Odd", "--target", "odd"];
  for (const wrong of ["0.3", "2"]) {
    const { code, error } = await jsonErrorOf(given, [...words, "--minimum-auc", wrong]);
    expect(code).toBe(2);
    expect(error.message).toContain("--minimum-auc is ");
  }
  for (const [wrong, said] of [
    [["--minimum-auc", "much"], "argument 'much' is invalid. Give a number without a unit."],
    [["--no-such-flag"], "unknown option '--no-such-flag'"],
  ] as const) {
    const { code, error } = await jsonErrorOf(given, [...words, ...wrong]);
    expect(code).toBe(2);
    expect(error).toMatchObject({ code: "invalid_request", retryable: false });
    expect(error.message).toContain(said);
  }
  const short = ["policy", "set", "remission", "--reason", "now", "--shadow-hours", "0.003"];
  const { code, error } = await jsonErrorOf(given, short);
  expect(code).toBe(2);
  expect(error.message).toContain("minimum_shadow_hours: 24 or more (given 0.003)");
  expect(await cli(given, ["--version"])).toMatchObject({ code: 0, out: "0.1.0\n" });
});
