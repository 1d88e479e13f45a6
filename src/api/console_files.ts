import { readdir, readFile } from "node:fs/promises";
import { extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Hono } from "hono";

interface ConsoleFile {
  body: Uint8Array<ArrayBuffer>;
  type: string;
}

/** The built page by path, as it is served; empty where it was not built. */
export type ConsoleFiles = ReadonlyMap<string, ConsoleFile>;

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Nothing from elsewhere, no code or style within the page, and the page within no other. */
const POLICY = [
  "default-src 'none'",
  ...["script", "style", "img", "connect"].map((kind) => `${kind}-src 'self'`),
  ...["base-uri", "form-action", "frame-ancestors"].map((kind) => `${kind} 'none'`),
].join("; ");

/** Beside the compiled code, or where `npm run build` has put it for the source. */
const FOLDERS = ["../console/", "../../dist/console/"].map((path) =>
  fileURLToPath(new URL(path, import.meta.url)),
);

/** Out of the first of the folders that has a built page. */
export async function readConsoleFiles(folders: readonly string[] = FOLDERS): Promise<ConsoleFiles> {
  for (const folder of folders) {
    const files = await filesIn(folder);
    if (files.has("/index.html")) return files;
  }
  return new Map();
}

async function filesIn(folder: string): Promise<ConsoleFiles> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const paths = entries.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
    const files = paths.flatMap((path) => {
      const type = TYPES[extname(path)];
      return type === undefined ? [] : [{ path, type }];
    });
    return new Map(
      await Promise.all(
        files.map(async ({ path, type }) => {
          const served = `/${relative(folder, path).replaceAll("\\", "/")}`;
          return [served, { body: new Uint8Array(await readFile(path)), type }] as const;
        }),
      ),
    );
  } catch (error) {
    const isUnbuilt = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (isUnbuilt) return new Map();
    throw error;
  }
}

const UNBUILT = "The console was not built; `npm run build` does it, and the API answers all the same.\n";

/** Serves the page at `/`. Files that have a hash in their names are kept by browsers for good. */
export function addConsole(app: Hono, files: ConsoleFiles): void {
  app.get("/", (context) => {
    const page = files.get("/index.html");
    if (page === undefined) return context.text(UNBUILT, 404);
    return context.body(page.body, 200, {
      "content-type": page.type,
      "content-security-policy": POLICY,
      "cache-control": "no-cache",
    });
  });
  for (const [path, { body, type }] of files) {
    const keep = path.startsWith("/assets/") ? "public, max-age=31536000, immutable" : "no-cache";
    app.get(path, (context) =>
      context.body(body, 200, {
        "content-type": type,
        "content-security-policy": POLICY,
        "cache-control": keep,
      }),
    );
  }
}
