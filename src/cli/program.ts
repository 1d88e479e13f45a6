import { readFileSync } from "node:fs";
import { Command, CommanderError, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { z } from "zod";
import { addApply } from "./apply.ts";
import { addApprove } from "./approve.ts";
import { addDeployments } from "./deployments.ts";
import { addDoctor } from "./doctor.ts";
import { type ExitCode, exitCodes } from "./exit_codes.ts";
import { addExperiments } from "./experiments.ts";
import { addHistory } from "./history.ts";
import { addPlan } from "./plan.ts";
import { addPolicy } from "./policy.ts";
import { addPrincipals } from "./principals.ts";
import { addReconcile } from "./reconcile.ts";
import { addResumeOperation } from "./resume_operation.ts";
import { addRollback } from "./rollback.ts";
import { addRemove } from "./remove.ts";
import { addRestart } from "./restart.ts";
import { addRevoke } from "./revoke.ts";
import { addRolloutControls } from "./rollout_controls.ts";
import { type Globals, Invocation, type Openers, type Report, runCommand } from "./runner.ts";
import { addStatus } from "./status.ts";
import { type Streams, Terminal } from "./terminal.ts";
import { addVersions } from "./versions.ts";
import { addWorker } from "./worker.ts";

/** Runs a command's work and keeps its exit code. */
export type Execute = (
  command: string,
  work: (invocation: Invocation) => Promise<Report | ExitCode>,
) => Promise<void>;

const commands: ((program: CommandUnknownOpts, execute: Execute) => void)[] = [
  addStatus,
  addPlan,
  addApply,
  addApprove,
  addRevoke,
  addRolloutControls,
  addRollback,
  addRemove,
  addRestart,
  addHistory,
  addDoctor,
  addReconcile,
  addWorker,
  addExperiments,
  addPolicy,
  addPrincipals,
  addVersions,
  addDeployments,
  addResumeOperation,
];

/** Where a command line runs, and what it works with. */
export interface Host extends Openers {
  streams: Streams;
  environment: Record<string, string | undefined>;
  /** Aborted by Ctrl-C and SIGTERM. */
  signal: AbortSignal;
}

const packageSchema = z.object({ version: z.string() });

/** Of the package that this file is a part of, built or not. */
function ownVersion(): string {
  const file = new URL("../../package.json", import.meta.url);
  return packageSchema.parse(JSON.parse(readFileSync(file, "utf8"))).version;
}

/** Runs one command line, without the program's own name, to its exit code. */
export async function runCli(words: string[], host: Host): Promise<ExitCode> {
  let code: ExitCode = exitCodes.done;
  const program = new Command("model-deployer")
    .description("Takes models from the registry to production traffic, and back again.")
    .version(ownVersion(), "-V, --version", "print the version")
    .option("--json", "print one JSON document")
    .option("--home <folder>", "instead of MODEL_DEPLOYER_HOME")
    .option("--token-file <file>", "holds the token of who asks, instead of MODEL_DEPLOYER_TOKEN")
    .configureOutput({
      writeOut: (text) => host.streams.stdout.write(text),
      writeErr: (text) => host.streams.stderr.write(text),
    })
    .showHelpAfterError("see --help")
    .exitOverride();
  const execute: Execute = async (command, work) => {
    const globals: Globals = program.opts();
    const terminal = new Terminal(host.streams, { json: globals.json === true });
    code = await runCommand(command, new Invocation({ ...host, terminal, globals }), work);
  };
  for (const add of commands) add(program, execute);
  try {
    await program.parseAsync(words, { from: "user" });
    return code;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
  }
}
