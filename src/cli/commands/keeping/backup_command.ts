import { readFile } from "node:fs/promises";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { ALL } from "../../../agents/model_deployer/domain/access/roles.ts";
import { ConfigurationError } from "../../../agents/model_deployer/errors.ts";
import { count } from "../../../agents/model_deployer/planning/wording/count.ts";
import { sizeText } from "../../../keeping/kept_quantities.ts";
import { backupReportSchema, restoreReportSchema } from "../../../service/machine/keeping_schemas.ts";
import type { Execute } from "../../invocation/execute.ts";
import { authorizedActor } from "../../invocation/requester.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";

interface Options {
  keyFile?: string | undefined;
  bentos?: string | undefined;
}

const NEEDS = { right: "administer", extent: ALL, subject: "backups" } as const;

export function addBackup(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("backup <file>")
    .description("write the database and the bentos that are needed into one file, of one moment")
    .option("--key-file <file>", "encrypt: holds an age recipient (age1...) or a passphrase")
    .option("--no-bentos", "the database alone; bentos are built anew from their artifacts")
    .action((file, { keyFile, bentos }: { keyFile?: string; bentos?: boolean }) =>
      execute("backup", (invocation) =>
        backup(invocation, file, { keyFile, bentos: bentos === false ? "none" : "needed" }),
      ),
    );
  program
    .command("restore <file>")
    .description("bring a backup into an empty home or database; servers that run go on")
    .option("--key-file <file>", "holds the age identity (AGE-SECRET-KEY-...) or the passphrase")
    .action((file, { keyFile }: Options) =>
      execute("restore", (invocation) => restore(invocation, file, keyFile)),
    );
}

async function backup(invocation: Invocation, file: string, { keyFile, bentos }: Options): Promise<Report> {
  const { home } = await invocation.configuration();
  const key = await readKey(keyFile);
  return invocation.withObserver(async ({ database, ownerUrl }) => {
    await authorizedActor(invocation, database, NEEDS);
    const { backUpHome } = await import("../../../wiring/keeping/backup_home.ts");
    const which = bentos === "none" ? ("none" as const) : ("needed" as const);
    const request = { home, ownerUrl, facts: database.keeping, file, key, bentos: which };
    const made = await invocation.terminal.withProgress("backing up", () => backUpHome(request));
    return report(backupReportSchema, made, (data, paint) => [
      `${paint.bold(data.file)}: ${count(data.rows, "row")} and ${count(data.bentos.length, "bento")}, ${sizeText(data.bytes)}, ${data.encrypted ? "encrypted" : paint.yellow("not encrypted")}`,
      ...data.missing_bentos.map(
        (tag) => `  ${tag} is not in the store, and is built anew when it is asked for`,
      ),
      ...(data.encrypted
        ? []
        : ["It holds hashes of tokens, requests and names: keep it as you keep the database."]),
    ]);
  });
}

async function restore(invocation: Invocation, file: string, keyFile: string | undefined): Promise<Report> {
  invocation.refuseRemote();
  const configuration = await invocation.configuration();
  const key = await readKey(keyFile);
  const { restoreInto } = await import("../../../wiring/keeping/restored_home.ts");
  const restored = await invocation.terminal.withProgress("restoring", (onProgress) =>
    restoreInto(configuration, {
      file,
      key,
      onProgress,
      onBegun: (name) => void invocation.begun.push(name),
    }),
  );
  return report(restoreReportSchema, restored, (data, paint) => [
    `${paint.bold("Restored")} what was there at ${data.made_at}: ${count(data.rows, "row")} and ${count(data.bentos.length, "bento")}`,
    ...data.ahead.map(
      (name) => `  ${name}: its router was asked what it has; a worker brings it to what the backup says`,
    ),
    "Next: model-deployer doctor, then model-deployer worker",
  ]);
}

async function readKey(path: string | undefined): Promise<string | null> {
  if (path === undefined) return null;
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new ConfigurationError(`--key-file ${path} cannot be read; name a file that holds the key.`, {
      cause,
    });
  });
  // An identity file of age has comments.
  const line = text.split("\n").find((one) => one.trim() !== "" && !one.startsWith("#"));
  if (line !== undefined) return line.trim();
  throw new ConfigurationError(`--key-file ${path} is empty; name a file that holds the key.`);
}
