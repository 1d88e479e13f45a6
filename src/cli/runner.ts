import { readFile } from "node:fs/promises";
import { createInterface } from "node:readline/promises";
import type { z } from "zod";
import { AgentError } from "../agents/base/agent_error.ts";
import { untilAborted } from "../agents/base/deadline.ts";
import type { ModelDeployer, ModelDeployerOptions } from "../agents/model_deployer/create_model_deployer.ts";
import { ConfigurationError, NotAuthenticatedError } from "../agents/model_deployer/errors.ts";
import { typedFileError } from "../agents/model_deployer/file_errors.ts";
import { type Configuration, readConfiguration } from "../configuration.ts";
import type { Observer } from "../observer.ts";
import { errorLines, errorView } from "./error_view.ts";
import { type ExitCode, exitCodeOf, exitCodes } from "./exit_codes.ts";
import { unlessInterrupted } from "./interrupted.ts";
import { SCHEMA_VERSION } from "./schemas.ts";
import type { Paint, Terminal } from "./terminal.ts";

export interface Globals {
  json?: true | undefined;
  home?: string | undefined;
  tokenFile?: string | undefined;
}

/** What a command found or did: for a script as data, for a person as lines. */
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

/** How a command comes by what it works with. */
export interface Openers {
  openDeployer(configuration: Configuration, options: ModelDeployerOptions): Promise<ModelDeployer>;
  openObserver(
    configuration: Configuration,
    options: { onProgress?: (line: string) => void },
  ): Promise<Observer>;
}

/** One command that is run. */
export class Invocation {
  readonly terminal: Terminal;
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  readonly environment: Record<string, string | undefined>;
  readonly #globals: Globals;
  readonly #open: Openers;

  constructor(
    parts: Openers & {
      terminal: Terminal;
      signal: AbortSignal;
      environment: Record<string, string | undefined>;
      globals: Globals;
    },
  ) {
    this.#open = parts;
    this.terminal = parts.terminal;
    this.signal = parts.signal;
    this.environment = parts.environment;
    this.#globals = parts.globals;
  }

  /** @throws ConfigurationError */
  async configuration(): Promise<Configuration> {
    const { home, tokenFile } = this.#globals;
    const token = tokenFile === undefined ? undefined : await readToken(tokenFile);
    return readConfiguration({
      ...this.environment,
      ...(home === undefined ? {} : { MODEL_DEPLOYER_HOME: home }),
      ...(token === undefined ? {} : { MODEL_DEPLOYER_TOKEN: token }),
    });
  }

  /** @throws NotAuthenticatedError */
  async token(): Promise<string> {
    const { token } = await this.configuration();
    if (token !== null) return token;
    throw new NotAuthenticatedError(
      "Who asks is not known: set MODEL_DEPLOYER_TOKEN or name a --token-file; `principals enrol` makes a token.",
    );
  }

  async withDeployer<T>(
    work: (deployer: ModelDeployer) => Promise<T>,
    options: Pick<ModelDeployerOptions, "checkpointer" | "registryMayFollow"> = {},
  ): Promise<T> {
    const configuration = await this.configuration();
    const deployer = await this.terminal.withProgress("connecting", (onProgress) =>
      untilAborted(this.signal, () =>
        this.#open.openDeployer(configuration, { ...options, installation: "existing", onProgress }),
      ),
    );
    try {
      return await work(deployer);
    } finally {
      await deployer.close();
    }
  }

  async withObserver<T>(work: (observer: Observer) => Promise<T>): Promise<T> {
    const configuration = await this.configuration();
    const observer = await this.terminal.withProgress("connecting to Postgres", (onProgress) =>
      untilAborted(this.signal, () => this.#open.openObserver(configuration, { onProgress })),
    );
    try {
      return await work(observer);
    } finally {
      await observer.close();
    }
  }

  /** Asks whoever sits there; true where nobody does. Ctrl-C and Ctrl-D decline. */
  async confirm(question: string): Promise<boolean> {
    if (!this.terminal.isInteractive) return true;
    const { stdin: input, stderr: output } = this.terminal.streams;
    const asking = createInterface({ input, output });
    const left = new Promise<null>((resolve) => asking.once("close", () => resolve(null)));
    try {
      const asked = asking.question(`${question} [y/N] `, { signal: this.signal }).catch(nullOfAbort);
      const said = await Promise.race([asked, left]);
      if (said === null) output.write("\n");
      return said !== null && /^y(es)?$/i.test(said.trim());
    } finally {
      asking.close();
    }
  }
}

/** Some Node versions reject when the question is left by Ctrl-C or Ctrl-D, and others only close. */
function nullOfAbort(error: unknown): null {
  if (error instanceof Error && error.name === "AbortError") return null;
  throw error;
}

async function readToken(path: string): Promise<string> {
  try {
    return (await readFile(path, "utf8")).trim();
  } catch (cause) {
    throw new ConfigurationError(`--token-file ${path} cannot be read; name a file that holds the token.`, {
      cause,
    });
  }
}

/** Runs one command to its exit code; whatever it raises is told in one block. */
export async function runCommand(
  command: string,
  invocation: Invocation,
  work: (invocation: Invocation) => Promise<Report | ExitCode>,
): Promise<ExitCode> {
  const { terminal } = invocation;
  try {
    const outcome = await work(invocation);
    if (typeof outcome === "number") return outcome;
    if (terminal.json) printJson(terminal, { command, data: outcome.data });
    else terminal.out(outcome.lines(terminal.paint, terminal.columns));
    return outcome.code;
  } catch (thrown) {
    const error = unlessInterrupted(typedFileError(thrown), invocation.signal);
    const code = exitCodeOf(error);
    const view = errorView(error);
    if (terminal.json) printJson(terminal, { command, error: view, exit_code: code });
    else terminal.err((paint) => errorLines(view, paint));
    if (
      !(error instanceof AgentError) &&
      error instanceof Error &&
      invocation.environment["DEBUG"] !== undefined
    )
      terminal.err(() => [error.stack ?? ""]);
    return code;
  }
}

function printJson(terminal: Terminal, body: Record<string, unknown>): void {
  terminal.out([JSON.stringify({ schema_version: SCHEMA_VERSION, ...body }, null, 2)]);
}
