// Copies what is no TypeScript from src to dist, beside the compiled code that reads it.
import { cp, readdir } from "node:fs/promises";
import { dirname, extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(root, "src");

const entries = await readdir(source, { recursive: true, withFileTypes: true });
for (const entry of entries) {
  const path = join(entry.parentPath, entry.name);
  if (!entry.isFile() || extname(entry.name) === ".ts" || path.includes("__pycache__")) continue;
  await cp(path, join(root, "dist", relative(source, path)));
}
