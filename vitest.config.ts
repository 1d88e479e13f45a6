import { configDefaults, defineConfig } from "vitest/config";
import { ConfigurationError } from "./src/agents/model_deployer/errors.ts";
import { findExternalProblem } from "./tests/support/external_problem.ts";

const isCi = process.env["CI"] === "true";
const problem = await findExternalProblem();
if (problem !== null) {
  const sentence = `tests/contract and tests/integration need real services: ${problem}`;
  if (isCi) throw new ConfigurationError(`CI=true forbids skipping: ${sentence}`);
  process.stderr.write(`skipped: ${sentence}\n`);
}

/** The examples import the package by its name, as whoever installs it does. */
const ownPackage = ["testing/contracts", "testing", "errors", "ports"].map((entry) => {
  const file = entry.startsWith("testing") ? `${entry}/index.ts` : `${entry}.ts`;
  return { find: `model-deployer/${entry}`, replacement: new URL(`src/${file}`, import.meta.url).pathname };
});

/** The testing kit passes the contract suites of the real parts, and needs none of them. */
const inMemory = "tests/contract/**/in_memory.test.ts";

/** Limits only guard against hanging; how long something takes is for `bench/` to say. */
const patience = {
  testTimeout: 900_000,
  hookTimeout: 900_000,
  expect: { poll: { timeout: 300_000 } },
};

const unit = {
  test: {
    name: "unit",
    alias: ownPackage,
    include: ["tests/{unit,scenarios}/**/*.test.ts", "examples/*.test.ts", inMemory],
    ...patience,
  },
};

const onRealParts = {
  globalSetup: ["tests/support/external_services.ts"],
  ...patience,
};

const external = {
  test: {
    ...onRealParts,
    name: "external",
    include: ["tests/{contract,integration,faults}/**/*.test.ts"],
    exclude: [inMemory],
  },
};

/** The few of them that `npm test` runs beside the unit tests: what a clone must show before it is trusted. */
const essential = {
  test: {
    ...onRealParts,
    name: "essential",
    include: [
      // From the run to production and back, on MLflow, BentoML, Envoy, Postgres and Redis.
      "tests/integration/main_job/main_job.test.ts",
      // What the database refuses, whoever asks and whatever happens at the same time.
      "tests/contract/database/postgres.test.ts",
      "tests/integration/graph/{life,fencing,scenario}.test.ts",
    ],
  },
};

export default defineConfig({
  test: {
    pool: "forks",
    maxWorkers: 2,
    teardownTimeout: 60_000,
    // Programs read these, or start them, so that no import says which tests they touch.
    forceRerunTriggers: [...configDefaults.forceRerunTriggers, "**/*.{sql,py}", "**/package-lock.json"],
    projects: problem === null ? [unit, essential, external] : [unit],
  },
});
