import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { table } from "../../output/terminal/table.ts";
import type { Execute } from "../../invocation/execute.ts";
import type { z } from "zod";
import type { Invocation } from "../../invocation/invocation.ts";
import { report } from "../../invocation/command_report.ts";
import type { Paint } from "../../output/terminal/terminal.ts";
import { versionsReportSchema } from "../../../service/report_schemas.ts";
import { unknownExperiment } from "../../../service/problems/unknown_name.ts";

export function addVersions(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("versions <experiment>")
    .description("the versions of an experiment and their stages")
    .action((experiment) =>
      execute("versions", (invocation) =>
        found(invocation, experiment).then((data) => report(versionsReportSchema, data, lines)),
      ),
    );
}

type Versions = z.infer<typeof versionsReportSchema>;

async function found(invocation: Invocation, experiment: string): Promise<Versions> {
  const path = `/v1/experiments/${encodeURIComponent(experiment)}/versions`;
  const remote = await invocation.remote();
  if (remote !== null) return remote.ask(versionsReportSchema, path);
  return invocation.withObserver(async ({ database }) => {
    const versions = await database.modelVersions.list(experiment);
    if (versions.length > 0 || (await database.experiments.get(experiment)) !== null) return { versions };
    throw await unknownExperiment(experiment, database);
  });
}

function lines({ versions }: Versions, paint: Paint): string[] {
  return table(
    ["version", "stage", "id", "run", "metrics"],
    versions.map((one) => [
      `${one.model_name} ${one.version}`,
      one.stage,
      one.model_version_id,
      one.mlflow_run_id,
      Object.entries(one.metrics)
        .slice(0, 3)
        .map(([name, value]) => `${name} ${value.toFixed(3)}`)
        .join(", "),
    ]),
    paint,
  );
}
