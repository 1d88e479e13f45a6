import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { table } from "./table.ts";
import type { Execute } from "./program.ts";
import { report } from "./runner.ts";
import { versionsReportSchema } from "./schemas.ts";
import { unknownExperiment } from "./unknown_name.ts";

export function addVersions(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("versions <experiment>")
    .description("the versions of an experiment and their stages")
    .action((experiment) =>
      execute("versions", (invocation) =>
        invocation.withObserver(async ({ database }) => {
          const versions = await database.modelVersions.list(experiment);
          if (versions.length === 0 && (await database.experiments.get(experiment)) === null) {
            throw await unknownExperiment(experiment, database);
          }
          return report(versionsReportSchema, { versions }, (data, paint) =>
            table(
              ["version", "stage", "id", "run", "metrics"],
              data.versions.map((one) => [
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
            ),
          );
        }),
      ),
    );
}
