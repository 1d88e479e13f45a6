import { EngineRefusedError } from "../../agents/model_deployer/errors.ts";
import { missingEngines, unreachable } from "../../agents/model_deployer/domain/servers/engine_refusals.ts";
import {
  ENDPOINT_STAGES,
  type EnginesByStage,
  type InstalledEngines,
} from "../../agents/model_deployer/domain/servers/engines.ts";
import { endpointName } from "../../agents/model_deployer/domain/values/names.ts";
import type { DeployerDatabase } from "../../database/index.ts";

/**
 * Refuses a policy by which the next deployment would be refused, as far as that is known where it is set; what
 * stays as it was is left alone.
 * @throws EngineRefusedError that names an engine that is not configured, or an endpoint whose router does not reach it
 */
export async function checkEngines(
  experiment_id: string,
  { before, wanted }: { before: EnginesByStage; wanted: EnginesByStage },
  installed: InstalledEngines,
  { endpoints }: Pick<DeployerDatabase, "endpoints">,
): Promise<void> {
  const stages = ENDPOINT_STAGES.filter((stage) => wanted[stage] !== before[stage]);
  const engines: EnginesByStage = Object.fromEntries(stages.map((stage) => [stage, wanted[stage]]));
  const missing = missingEngines(experiment_id, engines, installed);
  if (missing !== null) throw new EngineRefusedError(missing.sentence, { next: missing.next });
  for (const stage of stages) {
    const engine = engines[stage];
    const endpoint = engine === undefined ? null : await endpoints.get(endpointName(experiment_id, stage));
    const problem =
      engine === undefined || endpoint === null ? null : unreachable(engine, endpoint, installed);
    if (problem !== null) throw new EngineRefusedError(problem, { details: { stage, engine } });
  }
}
