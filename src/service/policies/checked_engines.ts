import { EngineRefusedError, InvalidRequestError } from "../../agents/model_deployer/errors.ts";
import { missingEngines, unreachable } from "../../agents/model_deployer/domain/servers/engine_refusals.ts";
import type { GatePolicy } from "../../agents/model_deployer/domain/models/gate_policy.ts";
import {
  ENDPOINT_STAGES,
  engineFor,
  type EngineKind,
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
export async function requireEngines(
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

interface RowsOnEngine {
  kept_rows?: GatePolicy["kept_rows"] | undefined;
  engines?: EnginesByStage | undefined;
}

/**
 * Refuses rows that nobody would keep, whether they or the engine are what is new.
 * @throws InvalidRequestError
 */
export function checkKeptRows(
  before: RowsOnEngine,
  wanted: RowsOnEngine,
  installed: InstalledEngines,
  keptOn: readonly EngineKind[],
): void {
  const engineOf = ({ engines = {} }: RowsOnEngine) => engineFor("production", { engines }, installed);
  const asked = ({ kept_rows }: RowsOnEngine) => JSON.stringify(kept_rows ?? null);
  const engine = engineOf(wanted);
  const isAsBefore = asked(wanted) === asked(before) && engine === engineOf(before);
  if ((wanted.kept_rows ?? null) === null || keptOn.includes(engine) || isAsBefore) return;
  throw new InvalidRequestError(
    `--rows (kept_rows): this engine's servers log no inputs, so that nothing would be kept: production is served on ${engine}, and servers on the deployer's own machine keep rows. Ask for none.`,
  );
}
