import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";
import { execa } from "execa";
import { z } from "zod";
import { inspectPython } from "../../../src/platform/python/python_interpreter.ts";

const printedSchema = z.object({
  written: z.string(),
  code: z.int(),
  untyped: z.tuple([z.string(), z.string()]).array(),
});

interface Sitting {
  environment: Record<string, string>;
  columns?: number;
  /** The awaited text, and the keys that are typed then. */
  typed?: [waitFor: string, keys: string][];
}

export const CTRL_C = "\u0003";
export const CTRL_D = "\u0004";

/** Runs the program itself on a pseudo-terminal, as somebody who sits there sees it. A negative code is a signal's. */
export async function onTerminal(words: string[], { environment, columns = 100, typed = [] }: Sitting) {
  const { executable } = await inspectPython();
  const script = fileURLToPath(new URL("./on_terminal.py", import.meta.url));
  const command = [process.execPath, "src/cli/main.ts", ...words];
  const { stdout } = await execa(executable, [script, String(columns), JSON.stringify(typed), ...command], {
    env: {
      NO_COLOR: undefined,
      FORCE_COLOR: undefined,
      CI: undefined,
      TERM: "xterm-256color",
      ...environment,
    },
    timeout: 600_000,
  });
  const { written, code, untyped } = printedSchema.parse(JSON.parse(stdout));
  const seen = stripVTControlCharacters(written).replaceAll("\r\n", "\n");
  return { written, seen, code, untyped };
}
