// Copies what is no TypeScript from src to dist, beside the compiled code that reads it.
import { cp, readdir } from "node:fs/promises";
import { dirname, extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const assets = new Set([".py", ".sql", ".txt"]);

const entries = await readdir(join(root, "src"), { recursive: true, withFileTypes: true });
for (const entry of entries) {
  if (!entry.isFile() || !assets.has(extname(entry.name))) continue;
  const source = join(entry.parentPath, entry.name);
  await cp(source, join(root, "dist", relative(join(root, "src"), source)));
}
