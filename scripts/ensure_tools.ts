import { homedir } from "node:os";
import { join } from "node:path";
import { ConfigurationError } from "../src/agents/model_deployer/errors.ts";
import { ensureToolsEnvironment } from "../src/platform/python/python_environment.ts";

/** Makes the servers' Python environment unless it is there, and prints the path of its python. Exit codes: 0 it is there, 3 no usable Python, 1 else. */
const cacheDirectory = process.env["MODEL_DEPLOYER_CACHE"] ?? join(homedir(), ".cache", "model-deployer");
const interruption = new AbortController();
process.once("SIGINT", () => interruption.abort()).once("SIGTERM", () => interruption.abort());

let announced = false;
function report(line: string): void {
  if (!announced) {
    announced = true;
    process.stderr.write(
      `setup: making the servers' Python environment in ${cacheDirectory} (1 GB), about a minute\n`,
    );
  }
  // The installers list each package that they put in; what matters is the rest.
  if (!/^ [+~-] /.test(line)) process.stderr.write(`setup: ${line}\n`);
}

try {
  const tools = await ensureToolsEnvironment({
    cacheDirectory,
    onProgress: report,
    signal: interruption.signal,
  });
  process.stdout.write(`${tools.python}\n`);
} catch (error) {
  process.stderr.write(`setup: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof ConfigurationError ? 3 : 1;
}
