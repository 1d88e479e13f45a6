import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { table } from "./table.ts";
import type { Execute } from "./program.ts";
import { report } from "./runner.ts";
import { deploymentsReportSchema } from "./schemas.ts";
import { unknownEndpoint } from "./unknown_name.ts";

export function addDeployments(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("deployments <endpoint>")
    .description("the deployments of an endpoint, newest first")
    .action((endpoint) =>
      execute("deployments", (invocation) =>
        invocation.withObserver(async ({ database }) => {
          const deployments = await database.deployments.listForEndpoint(endpoint);
          if (deployments.length === 0 && (await database.endpoints.get(endpoint)) === null) {
            throw await unknownEndpoint(endpoint, database);
          }
          return report(deploymentsReportSchema, { deployments }, (data, paint) =>
            table(
              ["deployment", "bento", "stage", "status", "traffic", "deployed"],
              data.deployments.map((one) => [
                one.deployment_id,
                one.bento_tag,
                one.target_stage,
                one.status,
                `${one.traffic_percentage} %`,
                one.deployed_at.slice(0, 19),
              ]),
              paint,
            ),
          );
        }),
      ),
    );
}
