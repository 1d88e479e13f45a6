import { randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { outcomesImportSchema, outcomesReportSchema } from "../../../src/service/judging/outcome_schemas.ts";
import { cli, jsonErrorOf, jsonOf } from "../../support/given/given_cli.ts";
import {
  ENDPOINT,
  EXPERIMENT,
  givenDeployer,
  givenInProduction,
} from "../../support/given/given_deployer.ts";

async function fileOf(content: string, ending = "jsonl"): Promise<string> {
  const path = join(tmpdir(), `outcomes-${randomUUID()}.${ending}`);
  await writeFile(path, content);
  onTestFinished(() => rm(path, { force: true }));
  return path;
}

const lines = (count: number, outcome: unknown = "yes") =>
  Array.from({ length: count }, (_, index) => JSON.stringify({ request_id: `r${index}`, outcome })).join(
    "\n",
  );

test("a file of JSON lines is told in batches, twice without harm", async () => {
  const given = await givenDeployer();
  const file = await fileOf(lines(2500));
  const first = await jsonOf(given, outcomesImportSchema, "outcomes", "import", file);
  expect(first).toMatchObject({ code: 0, data: { waiting: 2500, repeated: 0 } });
  const again = await jsonOf(given, outcomesImportSchema, "outcomes", "import", file);
  expect(again.data).toMatchObject({ waiting: 0, repeated: 2500, contradicting: 0 });
  const other = await cli(given, ["outcomes", "import", await fileOf(lines(3, "no"))]);
  expect(other.out).toBe("3 told before with another value; the first one stays\n");
});

test("CSV says the same: its values are numbers, truth values and text, and other columns are passed over", async () => {
  const given = await givenDeployer();
  await jsonOf(
    given,
    outcomesImportSchema,
    "outcomes",
    "import",
    await fileOf(
      [
        '{"request_id": "a", "outcome": 1.5}',
        '{"request_id": "b", "outcome": true}',
        '{"request_id": "c", "outcome": "no, not"}',
      ].join("\n"),
    ),
  );
  const csv = '\ufeffday,request_id,outcome\r\n1,a,1.5\r\n1,b,true\r\n2,c,"no, not"\r\n';
  const told = await jsonOf(given, outcomesImportSchema, "outcomes", "import", await fileOf(csv, "csv"));
  expect(told.data).toMatchObject({ repeated: 3, waiting: 0, contradicting: 0 });
});

test.each([
  ["{nonsense", "jsonl", "line 1 is no JSON"],
  [`${lines(1200)}\n{"request_id": "x"}`, "jsonl", "line 1201 is no outcome: outcome: Invalid input"],
  [`${lines(1200)}\n{"request_id": "x"}`, "jsonl", "The 1000 before it were told"],
  ["id,value\na,1\n", "csv", "the columns id, value: its first line has to name request_id and outcome"],
  ["request_id,outcome\na,1,2\n", "csv", "is no CSV"],
  [lines(1), "txt", "ends in none of .jsonl, .ndjson and .csv: name its --format"],
])("a wrong file ends with 2 and names what is wrong (%#)", async (content, ending, message) => {
  const given = await givenDeployer();
  const { code, error } = await jsonErrorOf(given, ["outcomes", "import", await fileOf(content, ending)]);
  expect({ code, is: error.code }).toEqual({ code: 2, is: "invalid_request" });
  expect(error.message).toContain(message);
});

test("a file or an endpoint that does not exist is named", async () => {
  const given = await givenDeployer();
  const nowhere = await jsonErrorOf(given, ["outcomes", "import", "/nowhere/o.jsonl"]);
  expect(nowhere.error.message).toContain("/nowhere/o.jsonl cannot be read");
  const folder = await jsonErrorOf(given, ["outcomes", "import", "tests", "--format", "csv"]);
  expect(folder.error.code).toBe("invalid_request");
  expect(folder.error.message).toContain("is a folder");
  const file = await fileOf(lines(1));
  const other = await jsonErrorOf(given, ["outcomes", "import", file, "--endpoint", "e2i_none"]);
  expect(other.error.code).toBe("not_found");
  expect((await jsonErrorOf(given, ["outcomes", "show", "e2i_none"])).code).toBe(3);
});

test("the policy turns outcomes on, and what they say is shown", async () => {
  const given = await givenDeployer();
  await givenInProduction(given, "run1");
  const nothing = await jsonOf(given, outcomesReportSchema, "outcomes", "show", ENDPOINT);
  expect(nothing.data).toEqual({ endpoint_name: ENDPOINT, kept_answers: 0, repeated_ids: 0, compared: [] });
  const set = ["policy", "set", EXPERIMENT, "--reason", "we know the truth after a week", "--outcomes"];
  const shown = await cli(given, [...set, "brier,minimum=200,worse_by=0.005"]);
  expect(shown.out).toContain(
    'judge: outcomes                  {"measure":"brier","minimum_outcomes":200,"worse_by":0.005,"sample":1}',
  );
  const wrong = await jsonErrorOf(given, [...set, "brier,minimum=many"]);
  expect(wrong.error.message).toContain("--outcomes brier,minimum=many: minimum_outcomes:");
  expect((await jsonErrorOf(given, [...set, "auc"])).error.message).toContain("Write accuracy, brier");
});
