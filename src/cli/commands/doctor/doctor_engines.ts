import { missingEngines } from "../../../agents/model_deployer/domain/servers/engine_refusals.ts";
import { configured, ENDPOINT_STAGES } from "../../../agents/model_deployer/domain/servers/engines.ts";
import type { DeployerDatabase } from "../../../database/index.ts";
import { installedEngines } from "../../../wiring/engines/installed_engines.ts";
import type { Configuration } from "../../../wiring/settings/configuration.ts";
import { type DoctorFinding, fine, weak } from "./doctor_finding.ts";

/** The engines that are configured, and what policies choose of them. */
export async function findingOfEngines(
  { overview, experiments }: Pick<DeployerDatabase, "overview" | "experiments">,
  configuration: Configuration,
): Promise<DoctorFinding> {
  const installed = installedEngines(configuration);
  const [usual, ...others] = configured(installed);
  const beside = others.length === 0 ? "" : `, and ${others.join(" and ")} where a policy says so`;
  const chosen: string[] = [];
  for (const { experiment_id } of await overview.experiments()) {
    const { engines } = await experiments.getGatePolicy(experiment_id);
    const missing = missingEngines(experiment_id, engines, installed);
    if (missing !== null) return weak(missing.sentence, missing.next[0]?.command ?? "docs/engines.md");
    chosen.push(
      ...ENDPOINT_STAGES.flatMap((stage) =>
        engines[stage] === undefined ? [] : [`${experiment_id} ${stage} on ${engines[stage]}`],
      ),
    );
  }
  return fine(`${usual}${beside}${chosen.length === 0 ? "" : `: ${chosen.join(", ")}`}`);
}
