import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseEnv } from "node:util";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { ConfigurationError } from "../../../agents/model_deployer/errors.ts";
import type { Execute } from "../../invocation/execute.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import { type InitReport, initReportSchema } from "../../output/start_schemas.ts";
import { nextLines } from "../../output/next_lines.ts";
import type { Paint } from "../../output/terminal/terminal.ts";

interface Options {
  demo?: true | undefined;
  yes?: true | undefined;
  mlflow?: string | undefined;
}

export function addInit(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("init")
    .description("make this folder an installation: writes a .env, which every command here reads")
    .option("--demo", "shadow gates of seconds and an example model; a demo never becomes a standard one")
    .option("--mlflow <address>", "an MLflow that is there already; without it one runs in the home")
    .option("-y, --yes", "do not ask: a standard installation, unless --demo is given")
    .action((options) => execute("init", (invocation) => init(invocation, options)));
}

/** Writes what is not there yet; the same again changes nothing. @throws ConfigurationError for another kind */
async function init(invocation: Invocation, options: Options): Promise<Report> {
  const path = join(process.cwd(), ".env");
  const found = parseEnv(await textOf(path));
  const before = found["MODEL_DEPLOYER_HOME"] === undefined ? null : kindOf(found);
  const wanted = before ?? (await wantedKind(invocation, options));
  if (options.demo === true && wanted !== "demo") throw otherKind(path, wanted);
  const lines = linesFor(wanted, options, found);
  if (lines.length > 0) await appendFile(path, lines.map((line) => `${line}\n`).join(""), { mode: 0o600 });
  const database_from = found["DATABASE_URL"] === undefined ? null : path;
  const data = { path, installation: wanted, written: lines, database_from };
  return report(initReportSchema, data, initLines);
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  }
}

type Kind = InitReport["installation"];

const kindOf = (found: Record<string, string | undefined>): Kind =>
  found["MODEL_DEPLOYER_INSTALLATION_KIND"] === "demo" ? "demo" : "standard";

async function wantedKind(invocation: Invocation, { demo, yes }: Options): Promise<Kind> {
  if (demo === true) return "demo";
  if (yes === true || !invocation.terminal.isInteractive) return "standard";
  const isDemo = await invocation.confirm(
    "A demo, with an example model and shadow gates of seconds? No means a standard installation.",
  );
  return isDemo ? "demo" : "standard";
}

function otherKind(path: string, kind: Kind): ConfigurationError {
  return new ConfigurationError(
    `${path} makes this folder a ${kind} installation, and one never becomes a demo; run \`model-deployer init --demo\` in another folder.`,
  );
}

function linesFor(kind: Kind, { mlflow }: Options, found: Record<string, string | undefined>): string[] {
  const wanted = {
    MODEL_DEPLOYER_HOME: ".model-deployer",
    MODEL_DEPLOYER_INSTALLATION_KIND: kind,
    ...(mlflow === undefined ? {} : { MLFLOW_TRACKING_URI: mlflow }),
  };
  return Object.entries(wanted)
    .filter(([name]) => found[name] === undefined)
    .map(([name, value]) => `${name}=${value}`);
}

function initLines({ path, installation, written, database_from }: InitReport, paint: Paint): string[] {
  const head =
    written.length === 0
      ? `${path} makes this folder a ${installation} installation already; nothing was changed.`
      : `${paint.green("written")}  ${path}: a ${installation} installation`;
  return [
    head,
    ...written.map((line) => paint.dim(`  ${line}`)),
    ...(database_from === null ? [] : [`  DATABASE_URL of ${database_from} is its database`]),
    ...nextLines([["model-deployer up", "starts all that it needs on this machine"]], paint),
  ];
}
