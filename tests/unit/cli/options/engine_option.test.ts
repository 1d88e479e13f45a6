import { expect, test } from "vitest";
import { InvalidRequestError } from "../../../../src/agents/model_deployer/errors.ts";
import { enginesFrom } from "../../../../src/cli/commands/settings/engine_option.ts";

test.each([
  ["kubernetes", {}, { staging: "kubernetes", production: "kubernetes" }],
  ["production=kubernetes", { staging: "bentocloud" }, { staging: "bentocloud", production: "kubernetes" }],
  ["staging=local, production=kubernetes", {}, { staging: "local", production: "kubernetes" }],
  ["usual", { staging: "local", production: "kubernetes" }, {}],
  ["production=usual", { staging: "local", production: "kubernetes" }, { staging: "local" }],
] as const)("--engine %s", (given, before, after) => {
  expect(enginesFrom(given, before)).toEqual(after);
});

test.each([
  "",
  "k8s",
  "Kubernetes",
  "shadow=local",
  "production=",
  "production=local=kubernetes",
  "production=local,production=kubernetes",
  "local,kubernetes",
  "kubernetes,production=local",
  "staging=local;production=local",
])("--engine %j is refused with what it may be", (given) => {
  expect(() => enginesFrom(given, {})).toThrow(InvalidRequestError);
  expect(() => enginesFrom(given, {})).toThrow(/name local, kubernetes, bentocloud or usual/);
});
