import { execa, ExecaError } from "execa";

export interface BoundedProgram {
  command: string;
  args: readonly string[];
  /** All of its environment. */
  env: Record<string, string>;
  workingDirectory?: string;
  limitMs: number;
  /** Ends the program. */
  signal: AbortSignal;
}

/** How a program ended that did not succeed. */
export interface FailedProgram {
  /** `cut` by its caller, `late` at its limit; `lost` was never started or was ended from outside. */
  failed: "cut" | "late" | "lost" | "refused";
  stdout: string;
  stderr: string;
  cause: unknown;
}

/** Runs a program to its end, and leaves it no longer than its limit and its caller do. */
export async function runBounded(program: BoundedProgram): Promise<{ stdout: string } | FailedProgram> {
  const { command, args, env, workingDirectory, limitMs, signal } = program;
  try {
    const { stdout } = await execa(command, args, {
      env,
      extendEnv: false,
      stdin: "ignore",
      timeout: limitMs,
      cancelSignal: signal,
      forceKillAfterDelay: 2000,
      ...(workingDirectory !== undefined && { cwd: workingDirectory }),
    });
    return { stdout };
  } catch (cause) {
    if (!(cause instanceof ExecaError)) {
      return { failed: signal.aborted ? "cut" : "lost", stdout: "", stderr: "", cause };
    }
    const texts = { stdout: String(cause.stdout), stderr: String(cause.stderr), cause };
    if (signal.aborted) return { failed: "cut", ...texts };
    if (cause.timedOut) return { failed: "late", ...texts };
    return { failed: cause.exitCode === undefined ? "lost" : "refused", ...texts };
  }
}

/** The last lines, in one. */
export const lastWords = (text: string): string => text.trim().split("\n").slice(-5).join(" ");
