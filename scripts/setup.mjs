// Makes the checkout ready to run: npm packages, and the Python environment of the servers. Plain JavaScript without
// imports, so that it runs on Node 20 with nothing installed. Does nothing when all is there.
//
// usage: node scripts/setup.mjs [--python=required|optional]
// With `optional`, a machine without a usable Python is told so and passes, except where CI=true.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const packagesStamp = join(modules, ".model-deployer-packages");
const toolsStamp = join(modules, ".model-deployer-tools");
const bundledNode = join(modules, ".bin", "node");
const pythonRequired = !process.argv.includes("--python=optional") || process.env.CI === "true";
/** Exit code of ensure_tools.ts for a missing or unusable Python. */
const noPython = 3;

function fail(message) {
  process.stderr.write(`setup: ${message}\n`);
  process.exit(1);
}

/** Its output goes to the terminal; what it writes to standard output is returned as well as its exit code. */
function run(command, args, env) {
  const stdio = ["inherit", "pipe", "inherit"];
  const result = spawnSync(command, args, { cwd: root, env, stdio, encoding: "utf8" });
  if (result.error) fail(`${command} cannot be started: ${result.error.message}`);
  return { code: result.status ?? 1, output: result.stdout };
}

function hashOf(...parts) {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

function readOrNull(path) {
  return existsSync(path) ? readFileSync(path, "utf8") : null;
}

/** The path without node_modules: `npm ci` replaces the Node that lies there while it runs. */
function outsidePath() {
  const entries = (process.env.PATH ?? "").split(delimiter);
  return entries.filter((entry) => !entry.includes("node_modules")).join(delimiter);
}

function installPackages() {
  const lock = hashOf(readFileSync(join(root, "package-lock.json"), "utf8"));
  if (readOrNull(packagesStamp) === lock && existsSync(bundledNode)) return;
  process.stderr.write("setup: installing the npm packages (npm ci), about a minute\n");
  const env = {
    ...process.env,
    PATH: outsidePath(),
    npm_config_engine_strict: "false",
    npm_config_loglevel: "error",
  };
  if (run("npm", ["ci", "--no-audit", "--no-fund"], env).code !== 0)
    fail("npm ci failed; its reason stands above");
  if (!existsSync(bundledNode)) {
    fail(
      "npm did not install its node package: run `npm rebuild node --foreground-scripts` and look at its answer",
    );
  }
  writeFileSync(packagesStamp, lock);
}

function ensurePython() {
  const source = readFileSync(join(root, "src", "platform", "python", "python_environment.ts"), "utf8");
  const { MODEL_DEPLOYER_PYTHON, MODEL_DEPLOYER_CACHE, HOME } = process.env;
  const key = hashOf(source, MODEL_DEPLOYER_PYTHON, MODEL_DEPLOYER_CACHE, HOME);
  const [knownKey, python] = (readOrNull(toolsStamp) ?? "").split("\n");
  // The environment's python is a link to the one that it was made with, and is gone with that.
  if (knownKey === key && existsSync(python) && existsSync(join(dirname(python), "..", "complete.json")))
    return;
  const { code, output } = run(bundledNode, [join(root, "scripts", "ensure_tools.ts")], process.env);
  if (code === 0) {
    writeFileSync(toolsStamp, `${key}\n${output.trim()}`);
    return;
  }
  if (code !== noPython) fail("the Python environment could not be made; the reason stands above");
  if (pythonRequired) fail("this needs Python 3.10 or newer with its venv module");
  process.stderr.write("setup: goes on without Python: tests against real servers will be skipped\n");
}

installPackages();
ensurePython();
