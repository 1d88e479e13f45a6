import { expect, test } from "vitest";
import { z } from "zod";
import { ConfigurationError } from "../../../src/agents/model_deployer/errors.ts";
import { readConfiguration, settings } from "../../../src/wiring/settings/configuration.ts";
import { isNumber } from "../../../src/wiring/settings/plain_values.ts";

/** Of every setting: what somebody's shell, file or unit may give in place of a value. */
const NEVER = ["  ", "\t", "a\nb", "x\u0000y", "\u001b[31m"];
/** Of those that are numbers. */
const NO_NUMBER = [
  "-1",
  "-0.5",
  "NaN",
  "Infinity",
  "-Infinity",
  "1e309",
  "1e99",
  "0x10",
  "1,5",
  "15s",
  "16MB",
  "ten",
  "1 2",
  "1_000",
  "--",
  "null",
  "[]",
];
/** Of those that are addresses. */
const NO_ADDRESS = [
  "localhost",
  "127.0.0.1:80",
  "/var/run/x",
  "ftp://example.org",
  "//example.org",
  "http//x",
  "postgres",
];
/** Of those that choose among words. */
const NO_WORD = ["0", "true", "LIVE!", "no such word"];

/** Of the folders: where none can be made. */
const NO_FOLDER = ["/proc/x", "/proc/self/home", "/proc"];

const SETTINGS = Object.entries(settings.shape).map(([name, schema]) => ({
  name,
  kind: kindOf(name, schema),
}));

function kindOf(name: string, schema: z.core.SomeType): "number" | "choice" | "address" | "text" {
  if (isNumber(schema)) return "number";
  const plain = schema instanceof z.ZodDefault || schema instanceof z.ZodOptional ? schema.unwrap() : schema;
  if (plain instanceof z.ZodEnum) return "choice";
  return /_(URL|URI)$|ENDPOINT$/.test(name) ? "address" : "text";
}

const names = (kind: string) => SETTINGS.filter((setting) => setting.kind === kind).map(({ name }) => name);

const TABLE = [
  ...SETTINGS.map(({ name }) => [name, NEVER] as const),
  ...["MODEL_DEPLOYER_HOME", "MODEL_DEPLOYER_CACHE"].map((name) => [name, NO_FOLDER] as const),
  ...names("number").map((name) => [name, NO_NUMBER] as const),
  ...names("address").map((name) => [name, NO_ADDRESS] as const),
  ...names("choice").map((name) => [name, NO_WORD] as const),
];

test("each kind of setting is among those that are tried", () => {
  expect(names("number").length).toBeGreaterThan(15);
  expect(names("address").length).toBeGreaterThan(8);
  expect(names("choice").length).toBeGreaterThan(4);
});

test.each(TABLE)("%s is refused by its name for each of %j", (name, values) => {
  for (const value of values) {
    const read = () => readConfiguration({ [name]: value });
    expect(read, value).toThrow(ConfigurationError);
    expect(read, value).toThrow(name);
  }
});

test.each(SETTINGS.map(({ name }) => name))("%s that is empty is one that is not set", (name) => {
  const read = (given: Record<string, string>) => JSON.stringify(readConfiguration(given));
  expect(read({ [name]: "" })).toBe(read({}));
});

test.each([
  ["MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"],
  ["MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_USERNAME"],
])("%s without %s is refused instead of asking as nobody", (given, missing) => {
  expect(() => readConfiguration({ [given]: "somebody" })).toThrow(missing);
});
