import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { auditLinks, exportedLine, importedLine, verifyChain } from "../../../service/audit/audit_chain.ts";
import {
  auditReportSchema,
  type AuditLinkView,
  type AuditVerification,
  auditVerificationSchema,
} from "../../../service/audit/audit_schemas.ts";
import { type ExitCode, exitCodes } from "../../invocation/exit_codes.ts";
import type { Execute } from "../../invocation/execute.ts";
import { table } from "../../output/terminal/table.ts";
import type { Paint } from "../../output/terminal/terminal.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import { withAuditBackend } from "./audit_backend.ts";
import { wholeNumberBetween } from "../../number_options.ts";

export function addAudit(program: CommandUnknownOpts, execute: Execute): void {
  const audit = program.command("audit").description("who changed what, from where");
  audit
    .command("list")
    .description("the newest entries")
    .option("--who <principal>", "of this one alone")
    .option("--subject <id>", "an operation, endpoint, experiment or principal")
    .option("--limit <number>", "so many", wholeNumberBetween(1, 10_000), 50)
    .action((options) =>
      execute("audit list", (invocation) =>
        withAuditBackend(invocation, async (backend) =>
          report(auditReportSchema, { links: await backend.newest(options) }, listLines),
        ),
      ),
    );
  audit
    .command("verify")
    .description("check that the trail is as it was written; exits with 6 where it is not")
    .option("--file <file>", "check this file of audit export instead of the database")
    .option("--includes <hash>", "a hash that was kept elsewhere, and has to be in the trail")
    .action((options) => execute("audit verify", (invocation) => verify(invocation, options)));
  audit
    .command("export")
    .description("print the trail as JSON lines")
    .option(
      "--after <sequence>",
      "from the entry after this one",
      wholeNumberBetween(0, Number.MAX_SAFE_INTEGER),
      0,
    )
    .action(({ after }) => execute("audit export", (invocation) => exportTrail(invocation, after)));
}

interface VerifyOptions {
  file?: string | undefined;
  includes?: string | undefined;
}

async function verify(invocation: Invocation, { file, includes }: VerifyOptions): Promise<Report> {
  const found =
    file === undefined
      ? await withAuditBackend(invocation, (backend) => backend.verify(includes ?? null))
      : await verifyChain(linesOf(file), { head: null, includes: includes ?? null, isWhole: false });
  const code = found.is_intact ? exitCodes.done : exitCodes.unavailable;
  return report(auditVerificationSchema, found, verifiedLines, code);
}

async function* linesOf(file: string) {
  let number = 0;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    number += 1;
    if (line !== "") yield importedLine(line, number);
  }
}

async function exportTrail(invocation: Invocation, after: number): Promise<ExitCode> {
  await withAuditBackend(invocation, async (backend) => {
    for await (const link of auditLinks(backend, after)) {
      if (invocation.signal.aborted) return;
      write(invocation, exportedLine(link));
    }
  });
  return exitCodes.done;
}

/** As it was hashed, unless a person looks: a terminal gets it escaped. */
function write({ terminal }: Invocation, line: string): void {
  if (terminal.isInteractive) terminal.out([line]);
  else terminal.streams.stdout.write(`${line}\n`);
}

function verifiedLines({ is_intact, entries, head, problem }: AuditVerification, paint: Paint): string[] {
  if (is_intact)
    return [`${paint.green("intact")}  ${entries} entries; the last one's hash is ${head ?? "none"}`];
  return [`${paint.red("broken")}  entry ${problem?.sequence ?? 0}: ${problem?.why ?? ""}`];
}

function listLines({ links }: { links: AuditLinkView[] }, paint: Paint): string[] {
  if (links.length === 0) return ["nothing"];
  const rows = links.map(({ entry }) => [
    String(entry.sequence),
    `${entry.at.slice(0, 19).replace("T", " ")}Z`,
    entry.who,
    placeOf(entry.from),
    entry.action,
    entry.outcome,
    entry.subject ?? "",
  ]);
  return table(["entry", "at", "who", "from", "what", "", "subject"], rows, paint);
}

function placeOf(from: AuditLinkView["entry"]["from"]): string {
  if (from === null) return "";
  const where = from.user === null ? (from.address ?? "") : `${from.user}@${from.host ?? ""}`;
  return `${from.via.replaceAll("_", " ")} ${where}${from.as === "session" ? ", no token" : ""}`.trim();
}
