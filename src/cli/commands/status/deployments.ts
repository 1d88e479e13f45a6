import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { table } from "../../output/terminal/table.ts";
import type { Execute } from "../../invocation/execute.ts";
import type { z } from "zod";
import type { Invocation } from "../../invocation/invocation.ts";
import { report } from "../../invocation/command_report.ts";
import type { Paint } from "../../output/terminal/terminal.ts";
import { elsewhere } from "../../../agents/model_deployer/domain/servers/engines.ts";
import { deploymentsReportSchema } from "../../../service/report_schemas.ts";
import { unknownEndpoint } from "../../../service/problems/unknown_name.ts";

export function addDeployments(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("deployments <endpoint>")
    .description("the deployments of an endpoint, newest first")
    .action((endpoint) =>
      execute("deployments", (invocation) =>
        found(invocation, endpoint).then((data) => report(deploymentsReportSchema, data, lines)),
      ),
    );
}

type Deployments = z.infer<typeof deploymentsReportSchema>;

async function found(invocation: Invocation, endpoint: string): Promise<Deployments> {
  const path = `/v1/endpoints/${encodeURIComponent(endpoint)}/deployments`;
  const remote = await invocation.remote();
  if (remote !== null) return remote.ask(deploymentsReportSchema, path);
  return invocation.withObserver(async ({ database }) => {
    const deployments = await database.deployments.listForEndpoint(endpoint);
    if (deployments.length > 0 || (await database.endpoints.get(endpoint)) !== null) return { deployments };
    throw await unknownEndpoint(endpoint, database);
  });
}

function lines({ deployments }: Deployments, paint: Paint): string[] {
  return table(
    ["deployment", "bento", "stage", "status", "traffic", "deployed"],
    deployments.map((one) => [
      one.deployment_id,
      `${one.bento_tag}${elsewhere(one.engine)}`,
      one.target_stage,
      one.status,
      `${one.traffic_percentage} %`,
      one.deployed_at.slice(0, 19),
    ]),
    paint,
  );
}
