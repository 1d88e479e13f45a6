import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const BUILT = fileURLToPath(new URL("../../dist/bin/main.js", import.meta.url));
const isBuilt = existsSync(BUILT);

/** The command line as the package has it, where that was built, else its sources. */
export const program = isBuilt ? BUILT : fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** Which of the two it is, for a report. */
export const programKind = isBuilt ? "built" : "sources";
