import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { configured } from "../../../agents/model_deployer/domain/servers/engines.ts";
import { installedEngines } from "../../../wiring/engines/installed_engines.ts";
import { mlflowAccess, mlflowEnvironment } from "../../../wiring/settings/mlflow_settings.ts";
import { servedAddress } from "../../../platform/services/served_address.ts";
import type { Execute } from "../../invocation/execute.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import { type EnvironmentReport, environmentReportSchema } from "../../../service/machine/machine_schemas.ts";

export function addEnv(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("env")
    .description(
      'print the addresses of this home\'s services, with their passwords, as `export` lines: eval "$(model-deployer env)"',
    )
    .action(() => execute("env", environment));
}

/** The configured addresses, or else those of services that run under the home; starts nothing. */
async function environment(invocation: Invocation): Promise<Report> {
  const configuration = await invocation.configuration();
  const { home, databaseUrl, databaseOwnerUrl, redisUrl } = configuration;
  const engines = configured(installedEngines(configuration)).join(",");
  const { findLocalServices } = await import("../../../platform/services/local_services.ts");
  const local = await findLocalServices(home);
  const mlflow = mlflowAccess(configuration, local);
  const found = {
    MODEL_DEPLOYER_HOME: home,
    // Whatever works with this home has to have the same engines.
    ...(engines !== "local" && { MODEL_DEPLOYER_ENGINE: engines }),
    DATABASE_URL: databaseUrl ?? local.databaseUrl ?? null,
    DATABASE_OWNER_URL: databaseOwnerUrl ?? databaseUrl ?? local.databaseOwnerUrl ?? null,
    REDIS_URL: redisUrl ?? local.redisUrl ?? null,
    ...(mlflow.mlflowUrl === "" ? { MLFLOW_TRACKING_URI: null } : mlflowEnvironment(mlflow)),
  };
  const console_url = await servedAddress(home);
  return report(environmentReportSchema, { variables: found, console_url }, exportLines);
}

function exportLines({ variables, console_url }: EnvironmentReport): string[] {
  return [
    ...Object.entries(variables).map(([name, value]) =>
      value === null
        ? `# ${name}: nothing runs under this home; the first action, or a worker, brings it up`
        : `export ${name}=${quoted(value)}`,
    ),
    console_url === null
      ? "# the console and the API: nothing serves them; model-deployer up, or serve, does"
      : `# the console and the API: ${console_url}`,
  ];
}

/** As one word of a POSIX shell. */
const quoted = (value: string): string => `'${value.replaceAll("'", `'\\''`)}'`;
