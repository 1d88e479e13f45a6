import type { z } from "zod";
import { type ExitCode, exitCodes } from "./exit_codes.ts";
import type { Paint } from "../output/terminal/terminal.ts";

/** A command's result: data for a script, lines for a person. */
export interface Report {
  data: unknown;
  lines: (paint: Paint, columns: number) => string[];
  code: ExitCode;
}

export function report<S extends z.ZodType>(
  schema: S,
  data: z.input<S>,
  render: (data: z.output<S>, paint: Paint, columns: number) => string[],
  code: ExitCode = exitCodes.done,
): Report {
  const parsed = schema.parse(data);
  return { data: parsed, lines: (paint, columns) => render(parsed, paint, columns), code };
}
