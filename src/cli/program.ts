import { Command, CommanderError } from "@commander-js/extra-typings";
import { InvalidRequestError } from "../agents/model_deployer/errors.ts";
import { escaped } from "../agents/model_deployer/domain/values/plain_text.ts";
import { type ExitCode, exitCodes } from "./invocation/exit_codes.ts";
import { commandsFor, KNOWN_COMMANDS } from "./known_commands.ts";
import { type Globals, Invocation, type Openers } from "./invocation/invocation.ts";
import { runCommand } from "./invocation/runner.ts";
import { commandsByNpx } from "./output/terminal/commands_by_npx.ts";
import { ownVersion } from "./own_version.ts";
import { type Streams, Terminal } from "./output/terminal/terminal.ts";
import type { Execute } from "./invocation/execute.ts";

/** The surroundings of a command line, and its means. */
export interface Host extends Openers {
  streams: Streams;
  environment: Record<string, string | undefined>;
  /** Aborted by Ctrl-C and SIGTERM. */
  signal: AbortSignal;
}

/** Runs one command line, without the program's own name, to its exit code. */
export async function runCli(given: string[], host: Host): Promise<ExitCode> {
  // Half of a surrogate pair, which a program may pass but no terminal types, names nothing and fits into no address.
  const words = given.map((word) => word.toWellFormed());
  let code: ExitCode = exitCodes.done;
  const program = new Command("model-deployer")
    .description("Takes models from the registry to production traffic, and back again.")
    .version(ownVersion(), "-V, --version", "print the version")
    .option("--json", "print one JSON document")
    .option("--home <folder>", "instead of MODEL_DEPLOYER_HOME")
    .option("--token-file <file>", "holds the token of who asks, instead of MODEL_DEPLOYER_TOKEN")
    .configureOutput({
      writeOut: (text) => host.streams.stdout.write(text),
      // Its error repeats the words that it was given; with `--json` the document has them instead.
      writeErr: (text) =>
        asksForJson() || host.streams.stderr.write(text.split("\n").map(escaped).join("\n")),
    })
    .showHelpAfterError("see --help")
    .exitOverride();
  // Read before anything is refused, wherever it stands.
  const asksForJson = () => program.opts().json === true;
  const execute: Execute = async (command, work) => {
    const globals: Globals = program.opts();
    const terminal = new Terminal(host.streams, { json: asksForJson(), ...typedCommands(host) });
    code = await runCommand(command, new Invocation({ ...host, terminal, globals, command }), work);
  };
  for (const add of await commandsFor(words)) add(program, execute);
  try {
    await program.parseAsync(words, { from: "user" });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return exitCodes.done;
    if (!asksForJson()) return exitCodes.usage;
    const refusal = new InvalidRequestError(escaped(error.message.replace(/^error: /, "")));
    await execute(words[0] ?? "", () => Promise.reject(refusal));
    return exitCodes.usage;
  }
}

/** Commands as people type them: behind `npx` where npm has started this by `npm exec`, which it says in the environment. */
const typedCommands = ({ environment }: Host) =>
  environment["npm_command"] === "exec"
    ? { typed: commandsByNpx(KNOWN_COMMANDS.flatMap(({ words }) => words)) }
    : {};
