import { configDefaults, defineConfig } from "vitest/config";
import { ConfigurationError } from "./src/agents/model_deployer/errors.ts";
import { findExternalProblem } from "./tests/support/services/external_problem.ts";

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

/** The testing kit and stand-ins of services pass the contract suites of the real parts, and need none of them. */
const inMemory = "tests/contract/**/{in_memory,*_stand_in}.test.ts";

/** Limits only guard against hanging; how long something takes is for `bench/` to say. */
const patience = {
  testTimeout: 900_000,
  hookTimeout: 900_000,
  expect: { poll: { timeout: 300_000 } },
};

/** Whatever the run makes and starts goes with it, however it ends. */
const TIED = "tests/support/services/tied_run.ts";

const unit = {
  test: {
    name: "unit",
    alias: ownPackage,
    include: ["tests/{unit,scenarios}/**/*.test.ts", "examples/*.test.ts", inMemory],
    // One start of the kit's database for each worker instead of one for each file: it costs two seconds.
    isolate: false,
    globalSetup: [TIED],
    ...patience,
  },
};

/**
 * Simulations of months and kills at each call, which take from ten seconds to minutes each: nine in ten of the tests
 * run without them in half the time.
 */
const LONG = [
  "tests/scenarios/{judging,cluster,told,ways_back}/**",
  "tests/scenarios/{walk,true_hints,team_metrics}.test.ts",
  "tests/unit/{package,secrets}/**",
  "tests/unit/judge/odd_traffic.test.ts",
  "tests/unit/mlops/{kubernetes/killed_at_each_call,images/published_despite_faults}.test.ts",
];

/** What `npm test` runs of them. */
const short = { test: { ...unit.test, name: "short", exclude: LONG } };

const onRealParts = {
  globalSetup: [TIED, "tests/support/services/external_services.ts"],
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
      // On a real Postgres: how a version lives, and what is refused to whoever comes late.
      "tests/integration/graph/{life,races/fencing,scenario}.test.ts",
    ],
  },
};

/** On an API server that is no stand-in; `npm run test:kubernetes` brings one, and says what it is in the environment. */
const kubernetes = {
  test: { name: "kubernetes", globalSetup: [TIED], include: ["tests/kubernetes/**/*.test.ts"], ...patience },
};
const projects = problem === null ? [unit, short, essential, external, kubernetes] : [unit, short];

export default defineConfig({
  test: {
    pool: "forks",
    // More than the two cores: many files wait for servers of theirs, and not for a processor.
    maxWorkers: 4,
    teardownTimeout: 60_000,
    // Programs read these, or start them, so that no import says which tests they touch.
    forceRerunTriggers: [...configDefaults.forceRerunTriggers, "**/*.{sql,py}", "**/package-lock.json"],
    projects,
  },
});
