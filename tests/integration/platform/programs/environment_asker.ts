import { ensureModelEnvironment } from "../../../../src/platform/python/python_environment.ts";

/** Asks for an environment of joblib and prints its Python. usage: environment_asker.ts CACHE_DIRECTORY UV */
const [cacheDirectory = "", uv = ""] = process.argv.slice(2);
const made = await ensureModelEnvironment({
  cacheDirectory,
  uv,
  requirements: ["joblib"],
  onProgress: (line) => process.stderr.write(`${line}\n`),
});
process.stdout.write(made.python);
