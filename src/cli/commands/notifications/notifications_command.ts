import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { NOTICE_KINDS } from "../../../agents/model_deployer/domain/notices/notices.ts";
import {
  removedSinkSchema,
  retriedSinkSchema,
  sinkReportSchema,
  sinksReportSchema,
  sinkTrialSchema,
} from "../../../service/notifications/sink_schemas.ts";
import type { Execute } from "../../invocation/execute.ts";
import type { SinkBackend } from "../../remote/backends.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import { withSinkBackend } from "./sink_backend.ts";
import { sinkLines } from "./sink_lines.ts";
import { sinkRequestOf, type SinkOptions } from "./sink_options.ts";

type Ask = (command: string, work: (backend: SinkBackend) => Promise<Report>) => Promise<void>;

export function addNotifications(program: CommandUnknownOpts, execute: Execute): void {
  const notifications = program.command("notifications").description("who is told of what, and where");
  const ask: Ask = (command, work) =>
    execute(`notifications ${command}`, (invocation) => withSinkBackend(invocation, work));
  addSet(notifications, ask);
  notifications
    .command("list")
    .description("where notices go, what waits, and what does not take them")
    .action(() => ask("list", async (backend) => report(sinksReportSchema, await backend.list(), sinkLines)));
  notifications
    .command("try <sink>")
    .description("send a notice now, and say whether it was taken")
    .action((sink) =>
      ask("try", async (backend) =>
        report(sinkTrialSchema, await backend.tryOut(sink), (data, paint) => [
          `${paint.green("taken")}  ${data.sink_name} was sent ${data.event_id}`,
        ]),
      ),
    );
  notifications
    .command("retry <sink>")
    .description("send anew what it has refused and what was set aside for that")
    .action((sink) =>
      ask("retry", async (backend) =>
        report(retriedSinkSchema, await backend.retry(sink), ({ sink_name, notices }) => [
          `${sink_name} is sent ${notices} notices anew; a worker sends them`,
        ]),
      ),
    );
  notifications
    .command("remove <sink>")
    .description("tell this sink nothing any more; what waits for it is dropped")
    .action((sink) =>
      ask("remove", async (backend) =>
        report(removedSinkSchema, await backend.remove(sink), (data) => [
          `${data.sink_name} is told no more`,
        ]),
      ),
    );
}

function addSet(notifications: CommandUnknownOpts, ask: Ask): void {
  notifications
    .command("set <sink>")
    .description("set where notices go, and which; what is left out stays as it is")
    .option("--webhook <url>", "CloudEvents over HTTP, signed as Standard Webhooks are")
    .option("--slack <url>", "an incoming webhook of Slack; env:NAME or file:/path say where it is kept")
    .option("--teams <url>", "a workflow of Teams that takes webhooks")
    .option("--email <address...>", "mailboxes, by the server of MODEL_DEPLOYER_SMTP_URL")
    .option(
      "--secret <secret>",
      "signs a webhook's messages, or where it is kept; one is made and shown once without it",
    )
    .option("--events <kind...>", `of these alone: ${NOTICE_KINDS.join(", ")}`)
    .option("--experiment <id...>", "of these experiments alone")
    .option("--inside", "it may be at a private address of this network, and without TLS")
    .action((sink, options) => ask("set", (backend) => set(backend, sink, options)));
}

async function set(backend: SinkBackend, name: string, options: SinkOptions): Promise<Report> {
  return report(sinkReportSchema, await backend.set(name, sinkRequestOf(options)), (data, paint) => [
    ...sinkLines({ sinks: [data.sink] }, paint),
    ...(data.secret === null
      ? []
      : ["its messages are signed by this secret, shown this once:", paint.bold(data.secret)]),
    paint.dim(`next: model-deployer notifications try ${data.sink.sink_name}`),
  ]);
}
