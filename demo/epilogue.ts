import { manifestOf } from "../src/agents/model_deployer/planning/manifest.ts";
import type { Engineer } from "./actions.ts";
import type { Load } from "./load.ts";
import type { Stage } from "./stage.ts";
import { story } from "./story.ts";

export async function printHistory(
  { deployer, experimentId }: Stage,
  engineer: Engineer,
  endpointName: string,
): Promise<void> {
  story.chapter("What was in production, and why");
  const versions = new Map(
    (await deployer.database.modelVersions.list(experimentId)).map((one) => [
      one.model_version_id,
      `v${one.version}`,
    ]),
  );
  for (const event of await deployer.database.history.list(experimentId)) {
    const head = `${event.occurred_at.slice(11, 23)}  ${event.kind.replace("rollout_", "rollout ").padEnd(20)}`;
    const by = `by ${event.changed_by}: ${event.reason}`;
    if (event.weights !== null) {
      const shares = Object.entries(event.weights).map(
        ([id, weight]) => `${versions.get(id) ?? engineer.nameOf(id)} ${weight} %`,
      );
      story.detail(
        `${head}${event.endpoint_name} generation ${event.generation}: ${shares.join(", ") || "none"}`,
      );
      continue;
    }
    const moved = event.to_stage === null ? "" : ` ${event.from_stage ?? "none"} -> ${event.to_stage}`;
    story.detail(`${head}${versions.get(event.model_version_id ?? "") ?? ""}${moved} ${by}`);
  }
  const production = await deployer.database.modelVersions.getProduction(experimentId);
  story.good(
    `in production now: ${production === null ? "nothing" : `${production.model_name} version ${production.version}`}`,
  );
  const endpoint = await deployer.database.endpoints.get(endpointName);
  const serving = await deployer.database.deployments.get(Object.keys(endpoint?.weights ?? {})[0] ?? "");
  if (endpoint === null || serving === null) return;
  story.chapter("Its manifest");
  const manifest = JSON.stringify(manifestOf(serving, endpoint, null), null, 2);
  story.detail(manifest.replaceAll("\n", "\n          "));
}

export function printCounts({ counts }: Load, engineer: Engineer): number {
  story.chapter("Requests");
  const shares = Object.entries(counts.by_deployment).map(([id, count]) => `${engineer.nameOf(id)} ${count}`);
  story.tell(`sent ${counts.sent}, answered ${counts.answered}, lost ${counts.lost}`);
  story.detail(`before there was a production version (503, by design): ${counts.without_version}`);
  story.detail(
    `by version: ${shares.join(", ")}; 5xx from a version: ${counts.failed}, all of them the broken v3's`,
  );
  return counts.lost === 0 ? 0 : 1;
}
