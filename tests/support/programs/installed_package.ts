import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { inject } from "vitest";
import { npmInstall } from "./npm_install.ts";

/**
 * Installs a package once into the cache, apart from the project's own, with the peers that it is used with.
 *
 * @returns the folder that has its `node_modules`
 */
export async function installedPackage(name: string, version: string, peers: string[] = []): Promise<string> {
  const cache = inject("cacheDirectory");
  const target = join(cache, `${name.replaceAll(/[^a-z0-9-]+/g, "-").replace(/^-/, "")}-${version}`);
  if (existsSync(join(target, "node_modules", name, "package.json"))) return target;
  await mkdir(cache, { recursive: true });
  const made = await mkdtemp(`${target}.`);
  await npmInstall(["--prefix", made, `${name}@${version}`, ...peers], made);
  // Another run may have been first, and its folder is as good.
  await rename(made, target).catch(() => rm(made, { recursive: true, force: true }));
  return target;
}
