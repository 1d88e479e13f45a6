import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { keptRowsOf } from "../../../../src/cli/commands/settings/kept_rows_options.ts";
import { judgeSettingsOf } from "../../../../src/cli/commands/judge_options.ts";
import { numberIn } from "../../../../src/cli/number_options.ts";

test("what nobody named is left out, and what is named is what the judge calls it", () => {
  expect(judgeSettingsOf({})).toEqual({});
  expect(
    judgeSettingsOf({ alpha: 0.05, margin: 0.1, samples: 20, effectFloor: 0.05, whenInconclusive: "hold" }),
  ).toEqual({
    alpha: 0.05,
    margin: 0.1,
    minimum_samples: 20,
    effect_floor: 0.05,
    when_inconclusive: "hold",
  });
});

test.each([
  ["0.1", { maximum_shift: 0.1 }],
  ["tell", { maximum_shift: null }],
  ["none", null],
])("predictions %s are compared as %j", (given, predictions) => {
  expect(judgeSettingsOf({ predictions: given })).toEqual({ predictions });
});

test.each(["", "much", "0", "2", "-1", "0x1", "1e400", "NaN"])(
  "--predictions %j is refused with what there is",
  (given) => {
    expect(() => judgeSettingsOf({ predictions: given })).toThrow(
      "name a share from 0.01 to 1, or tell, or none",
    );
  },
);

test.each([
  ["accuracy,minimum=5,minimum=7", "minimum_outcomes is named twice"],
  ["accuracy,odd=1", 'Unrecognized key: "odd"'],
  ["accuracy,sample=0", "sample: Too small"],
  ["accuracy,worse_by=NaN", "worse_by: Invalid input"],
  ["accuracy,minimum=0x10", "minimum_outcomes: Invalid input"],
  ["accuracy,minimum=1e9", "minimum_outcomes: Too big"],
  ["precision", "measure: Invalid option"],
])("--outcomes %s is refused by what is wrong, and with what there is", (given, why) => {
  expect(() => judgeSettingsOf({ outcomes: given })).toThrow(`--outcomes ${given}: ${why}`);
});

test("a number is one with or without a nought in front of its point", () => {
  expect([".05", "0.05", "5e-2", "1e3", "-.5"].map(numberIn)).toEqual([0.05, 0.05, 0.05, 1000, -0.5]);
  for (const none of ["", ".", "0x1", "1_000", "1e400", " 1", "5 %", "NaN", "Infinity"])
    expect(Number.isFinite(numberIn(none)), none).toBe(false);
});

test("an unknown end is refused with those that there are", () => {
  expect(() => judgeSettingsOf({ whenInconclusive: "shrug" })).toThrow("name roll_back, pause or hold");
});

async function fileOf(content: string): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), "model-deployer-metrics-")), "metrics.yaml");
  await writeFile(file, content);
  return file;
}

test("metrics are read from a file by their names, with the usual settings for what it leaves out", async () => {
  const file = await fileOf(
    'clicks:\n  query: rate(clicks{d="{{deployment}}"}[{{since}}])\n  worse: lower\n',
  );
  expect(judgeSettingsOf({ metrics: file }).metrics).toEqual({
    clicks: {
      query: 'rate(clicks{d="{{deployment}}"}[{{since}}])',
      worse: "lower",
      of: null,
      bound: null,
      worse_by: 0.1,
      every_seconds: 60,
      minimum_windows: 3,
    },
  });
  expect(judgeSettingsOf({ metrics: "none" })).toEqual({ metrics: {} });
});

test.each([
  ["clicks:\n  query: sum(clicks)\n  worse: lower\n", "names {{deployment}} or {{version}}"],
  ['clicks:\n  query: x{d="{{pod}}"}\n  worse: lower\n', "{{pod}} is not known"],
  ['Clicks!:\n  query: x{d="{{deployment}}"}\n  worse: lower\n', "a name as in false_positives"],
  ['clicks:\n  query: x{d="{{deployment}}"}\n  worse: odd\n', "worse"],
  ['clicks:\n  query: x{d="{{deployment}}"}\n  worse: lower\n  limit: 3\n', "limit"],
  ["just words", "expected record"],
  ["a: [", "cannot be read as YAML or JSON"],
])("a file of metrics that cannot be compared is refused by what is wrong: %j", async (content, why) => {
  const file = await fileOf(content);
  expect(() => judgeSettingsOf({ metrics: file })).toThrow(why);
  expect(() => judgeSettingsOf({ metrics: `${file}.none` })).toThrow("cannot be read");
});

test("rows are kept by a share with the usual bounds; hidden fields need rows, and none ends it", () => {
  const kept = keptRowsOf(null, { rows: "0.01,most=50", hide: "name, birth" });
  expect(kept).toEqual({
    sample: 0.01,
    most: 50,
    hidden: ["name", "birth"],
    hashed: [],
    on_errors: "refuse",
  });
  expect(keptRowsOf(kept, {})).toEqual(kept);
  expect(keptRowsOf(kept, { hash: "city" })).toMatchObject({ hidden: ["name", "birth"], hashed: ["city"] });
  expect(keptRowsOf(kept, { rows: "none" })).toBeNull();
  expect(() => keptRowsOf(null, { hide: "name" })).toThrow("name --rows <sample> as well");
  for (const rows of ["", "2", "0.1,most=x", "0.1,on_errors=shrug", "0.1,odd=1"]) {
    expect(() => keptRowsOf(null, { rows }), rows).toThrow(/^--rows /);
  }
});
