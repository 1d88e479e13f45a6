import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { ServiceUnavailableError } from "../../../agents/model_deployer/errors.ts";
import { servedAddress } from "../../../platform/services/served_address.ts";
import type { Execute } from "../../invocation/execute.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import { consoleReportSchema } from "../../../service/machine/machine_schemas.ts";
import { LOOPBACK } from "../../../platform/loopback.ts";
import { DEFAULT_PORT } from "./serve_command.ts";
import { portNumber } from "../../number_options.ts";

export function addConsole(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("console")
    .description("print the console's address, which signs in as the principal of the token")
    .option(
      "--port <port>",
      "where it is served; where this home's was served last, unless given",
      portNumber,
    )
    .option("--as <person>", "of a demo installation: ana, or omar, who may approve what ana asks for", "ana")
    .action(({ port, as }) => execute("console", (invocation) => address(invocation, port, as)));
}

const PATIENCE_MS = 2000;

/** The token stands behind the #, which a browser sends to no server. @throws ServiceUnavailableError */
async function address(invocation: Invocation, port: number | undefined, person: string): Promise<Report> {
  const remote = await invocation.remote();
  const { base, token } = remote?.console ?? (await ownConsole(invocation, port, person));
  await requireServed(base);
  const data = { url: token === null ? base : `${base}#token=${token}`, signs_in: token !== null };
  return report(consoleReportSchema, data, ({ url, signs_in }, paint) => [
    url,
    ...(signs_in ? [] : [paint.dim("it asks who looks; with --token-file the address signs in")]),
  ]);
}

interface Found {
  /** Ends in a slash. */
  base: string;
  token: string | null;
}

async function ownConsole(invocation: Invocation, port: number | undefined, person: string): Promise<Found> {
  const configuration = await invocation.configuration();
  const served = port === undefined ? await servedAddress(configuration.home) : null;
  const { demoToken } = await import("../../example/people.ts");
  const token = configuration.token ?? (await demoToken(configuration, person));
  return { base: served ?? `http://${LOOPBACK}:${port ?? DEFAULT_PORT}/`, token };
}

async function requireServed(base: string): Promise<void> {
  try {
    await fetch(`${base}healthz`, { signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch (cause) {
    throw new ServiceUnavailableError(
      "console",
      `Nothing answers at ${base}; \`model-deployer up\` serves the console there, or \`serve\` alone.`,
      { cause },
    );
  }
}
