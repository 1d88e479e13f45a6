import { readFile } from "node:fs/promises";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { parse } from "yaml";
import { z } from "zod";
import {
  type AskedJudgeSettings,
  askedJudgeSettingsSchema,
} from "../../../agents/model_deployer/domain/evidence/judgement.ts";
import { InvalidRequestError } from "../../../agents/model_deployer/errors.ts";
import { judgedReport } from "../../../service/judging/judged_report.ts";
import { judgedReportSchema } from "../../../service/judging/judged_schemas.ts";
import type { Execute } from "../../invocation/execute.ts";
import { judgedLines } from "../../output/views/judged_view.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import { addJudgeFlags, judgeSettingsOf } from "../judge_options.ts";

interface Options {
  policy?: string | undefined;
  all?: true | undefined;
}

export function addJudge(program: CommandUnknownOpts, execute: Execute): void {
  const judge = program
    .command("judge <target>")
    .description(
      "judge a rollout again, look by look; the target is a rollout, or an endpoint for its last one",
    )
    .option(
      "--policy <file>",
      "other settings of the judge, as JSON or YAML, by themselves or under `judge`",
    );
  addJudgeFlags(judge, ["alpha", "margin", "samples", "effectFloor"]);
  judge
    .option("--all", "print each look, not only those at which something changed")
    .action((target, options) => execute("judge", (invocation) => judged(invocation, target, options)));
}

async function judged(invocation: Invocation, target: string, options: Options): Promise<Report> {
  const request = { target, settings: await settingsFor(options) };
  const remote = await invocation.remote();
  const data =
    remote === null
      ? await invocation.withObserver(({ database }) => judgedReport(database, request))
      : await remote.ask(judgedReportSchema, "/v1/judgements", { body: request });
  return report(judgedReportSchema, data, (shown, paint) => judgedLines(shown, options.all === true, paint));
}

/** Those of the file, with the flags over them. */
async function settingsFor(options: Options): Promise<AskedJudgeSettings> {
  const inFile = options.policy === undefined ? {} : await settingsIn(options.policy);
  const flags = parsed(judgeSettingsOf(options), "The settings");
  const given = Object.entries(flags).filter(([, value]) => value !== undefined);
  return { ...inFile, ...Object.fromEntries(given) };
}

async function settingsIn(file: string): Promise<AskedJudgeSettings> {
  let content: unknown;
  try {
    content = parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new InvalidRequestError(`--policy ${file} cannot be read as JSON or YAML.`, { cause });
  }
  const policy = z.object({ judge: z.unknown() }).safeParse(content);
  return parsed(policy.success ? policy.data.judge : content, `--policy ${file}`);
}

/** @throws InvalidRequestError */
function parsed(content: unknown, where: string): AskedJudgeSettings {
  const settings = askedJudgeSettingsSchema.safeParse(content);
  if (settings.success) return settings.data;
  const wrong = z.prettifyError(settings.error);
  throw new InvalidRequestError(`${where}: no settings of the judge: ${wrong}`, { cause: settings.error });
}
