import { randomUUID } from "node:crypto";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { childEnvironment } from "../../../src/platform/processes/child_environment.ts";
import { hasEnvironment, readProcessTable } from "../../../src/platform/processes/process_table.ts";
import { inspectPython } from "../../../src/platform/python/python_interpreter.ts";
import { pollUntil } from "../../../src/testing/poll.ts";

export const WAYS = ["SIGHUP", "SIGTERM", "Ctrl-C", "a closed terminal", "a killed leader"] as const;
export type Way = (typeof WAYS)[number];

const LIMIT_MS = 300_000;
const root = fileURLToPath(new URL("../../../", import.meta.url));

/** Starts the program and waits for it, as npm does: signals are handed on, and a kill is not. */
const LEADER = `const { spawn } = require("node:child_process");
const child = spawn(process.argv[1], process.argv.slice(2), { stdio: "inherit" });
process.on("SIGINT", () => undefined);
for (const signal of ["SIGHUP", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code) => process.exit(code ?? 1));`;

/** A program that somebody has started on a terminal, as npm starts one. */
export interface StartedProgram {
  /** Resolves when it has printed this text. */
  until(text: string): Promise<void>;
  /** Ends it that way. @returns all that it printed, once it and all that it has started are gone */
  end(way: Way): Promise<string>;
}

export async function startProgram(
  command: string[],
  environment: Record<string, string>,
): Promise<StartedProgram> {
  const { executable } = await inspectPython();
  const script = fileURLToPath(new URL("./terminal_session.py", import.meta.url));
  const mark = randomUUID();
  const terminal = spawn(executable, [script, process.execPath, "-e", LEADER, ...command], {
    cwd: root,
    env: { ...childEnvironment(), TERM: "dumb", ...environment, ENDED_PROGRAM: mark },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let printed = "";
  terminal.stdout.setEncoding("utf8").on("data", (text: string) => (printed += text));
  const find = async (text: string | RegExp) => {
    const found = await pollUntil(async () => new RegExp(text).exec(printed), {
      deadlineMs: LIMIT_MS,
      what: `${String(text)} in what was printed`,
    });
    return found[1] ?? "";
  };
  const shell = Number(await find(/SHELL (\d+)/));
  const leader = Number(await find(/COMMAND (\d+)/));
  const closed = once(terminal, "close");
  return {
    until: async (text) => void (await find(text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"))),
    end: async (way) => {
      if (way === "a closed terminal") terminal.kill("SIGKILL");
      else if (way === "a killed leader") send(leader, "SIGKILL");
      else if (way === "Ctrl-C") send(-shell, "SIGINT");
      else send(leader, way);
      const left = [shell, terminal.pid];
      await pollUntil(async () => ((await marked(mark, left)).length === 0 ? true : null), {
        deadlineMs: LIMIT_MS,
        what: `the end of ${command.join(" ")} by ${way}`,
      });
      // The terminal hands on what it still holds before it ends, which it does once nobody has it open.
      if (way !== "a closed terminal") send(shell, "SIGKILL");
      await closed;
      return printed;
    },
  };
}

/** It may have ended by itself. */
function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

/** Processes that carry the mark, but for the shell and its terminal. */
async function marked(mark: string, but: (number | undefined)[]): Promise<number[]> {
  const table = (await readProcessTable()).filter(({ pid }) => !but.includes(pid));
  const ours = table.map(async ({ pid }) =>
    (await hasEnvironment(pid, `ENDED_PROGRAM=${mark}`)) ? [pid] : [],
  );
  return (await Promise.all(ours)).flat();
}
