import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const outDir = join(dist, "bin");

/** Code of the project reads the files beside it, which stay where they are. */
const filesBeside: Plugin = {
  name: "files-beside",
  transform(code, id) {
    if (!id.startsWith(dist) || !code.includes("import.meta.url")) return null;
    const place = JSON.stringify(relative(outDir, id));
    return code.replaceAll("import.meta.url", `new URL(${place}, import.meta.url).href`);
  },
};

/** The command line in few files, third parties' included: most of a command's time went into opening 2,000 small ones. */
export default defineConfig({
  plugins: [filesBeside],
  build: {
    ssr: true,
    outDir,
    target: "node22",
    minify: false,
    license: { fileName: "licenses.md" },
    rolldownOptions: {
      input: { main: join(dist, "cli", "main.js") },
      output: { chunkFileNames: "[name].js", entryFileNames: "[name].js" },
    },
  },
  ssr: { noExternal: true },
});
