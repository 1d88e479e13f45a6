import { createHash } from "node:crypto";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { execa } from "execa";
import { childEnvironment, variablesNamed } from "../../src/platform/processes/child_environment.ts";

/**
 * The `bin` of an environment with these packages; made once, in the cache. Unlike a model's environment it holds nothing
 * of the deployer, so that each peer gets the versions that it asks for.
 *
 * @throws ExecaError with the installer's words
 */
export async function ensurePeerEnvironment(
  requirements: readonly string[],
  { cacheDirectory, uv }: { cacheDirectory: string; uv: string },
): Promise<string> {
  const key = createHash("sha256").update(JSON.stringify(requirements)).digest("hex").slice(0, 20);
  const directory = join(cacheDirectory, "bench-serving", key);
  const marker = join(directory, "whole");
  if (await exists(marker)) return join(directory, "bin");
  await rm(directory, { recursive: true, force: true });
  await mkdir(dirname(directory), { recursive: true });
  const folder = process.env["UV_FIND_LINKS"] ?? process.env["PIP_FIND_LINKS"];
  const env = childEnvironment({
    ...variablesNamed(/^(PIP|UV)_|^(SSL_CERT_FILE|HTTPS?_PROXY|NO_PROXY)$/),
    ...(folder === undefined ? {} : { UV_FIND_LINKS: folder }),
  });
  const options = { env, extendEnv: false, timeout: 1_800_000 };
  await execa(uv, ["venv", "--quiet", directory], options);
  const python = join(directory, "bin", "python");
  // Compiled, since what is measured of a start is no first start.
  await execa(uv, ["pip", "install", "--compile-bytecode", "--python", python, ...requirements], options);
  await mkdir(`${marker}.new`);
  await rename(`${marker}.new`, marker);
  return join(directory, "bin");
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
