import {
  engineFor,
  type InstalledEngines,
  KEEPING_ROWS,
} from "../../agents/model_deployer/domain/servers/engines.ts";
import type { RowServers } from "../../agents/model_deployer/ports/evidence/row_ports.ts";
import type { NextStep } from "../../agents/base/next_step.ts";
import type { DeployerDatabase } from "../../database/index.ts";

/** Logs of Kubernetes' and BentoCloud's servers have no inputs, and nobody reaches a single one of them past its router. */
export const NO_ROWS =
  "this engine's servers keep no rows and are sent none; servers on the deployer's own machine do both";

export interface RowKeeping {
  database: Pick<DeployerDatabase, "experiments">;
  engines: InstalledEngines;
  /** Null, or left out, where no engine keeps rows. */
  rowServers?: RowServers | null | undefined;
}

/** Why an experiment has no kept rows, and what has some kept. */
export async function whyNone(
  { database, engines, rowServers }: RowKeeping,
  experiment: string,
): Promise<{ why: string; next: NextStep[] }> {
  const policy = await database.experiments.getGatePolicy(experiment);
  const isKeeping = rowServers && KEEPING_ROWS.includes(engineFor("production", policy, engines));
  if (!isKeeping) return { why: NO_ROWS, next: [] };
  if (policy.kept_rows !== null) {
    const share = `${100 * policy.kept_rows.sample} %`;
    const why = `no request was drawn since the policy asks for ${share} of them, or no worker runs`;
    return { why, next: [] };
  }
  const words = `policy set ${experiment} --rows 0.01`;
  return {
    why: `the policy of ${experiment} asks for none; ${words} does`,
    next: [
      {
        action: "set_policy",
        request: null,
        command: `model-deployer ${words} --reason "..."`,
        who: "person",
        why: `keeps a hundredth of the requests from now on, with what each side answers`,
      },
    ],
  };
}
