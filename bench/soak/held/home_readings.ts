import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { usageOfPaths } from "../../../src/platform/disk/disk_usage.ts";
import { MEBIBYTE } from "../../support/figures.ts";

/** Folders whose parts are kept for reasons of their own. */
const APART = ["postgres/data/pg_wal", "bentoml/bentos", "bentoml/wheels"];

/** MiB of the home by folder, each without those that stand apart; a file that has several names is counted once. */
export async function readFolders(home: string): Promise<Record<string, number>> {
  const seen = new Set<string>();
  const sizes: Record<string, number> = {};
  for (const path of await pathsIn(home, "")) {
    const folder = APART.find((one) => one === path) ?? path.split("/")[0] ?? path;
    const { bytes } = await usageOfPaths([join(home, path)], seen);
    sizes[folder] = (sizes[folder] ?? 0) + bytes / MEBIBYTE;
  }
  return sizes;
}

/** All that lies in a folder; of one that has a folder which stands apart, what lies in it in its place. */
async function pathsIn(home: string, folder: string): Promise<string[]> {
  const names = (await readdir(join(home, folder)).catch(() => [])).toSorted();
  const paths = names.map(async (name) => {
    const path = folder === "" ? name : `${folder}/${name}`;
    return APART.some((one) => one.startsWith(`${path}/`)) ? pathsIn(home, path) : [path];
  });
  return (await Promise.all(paths)).flat();
}
