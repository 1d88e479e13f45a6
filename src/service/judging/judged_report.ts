import type { JudgeSettings } from "../../agents/model_deployer/domain/evidence/judgement.ts";
import type { KeptLooks } from "../../agents/model_deployer/domain/evidence/kept_look.ts";
import type { Rollout } from "../../agents/model_deployer/domain/traffic/rollout.ts";
import {
  refuseJudgeSettings,
  settingsOver,
} from "../../agents/model_deployer/domain/traffic/rollout_plan.ts";
import { InvalidRequestError, NotFoundError } from "../../agents/model_deployer/errors.ts";
import { sidesOf } from "../../agents/model_deployer/judge/counts/live_figures.ts";
import { judgeAgain } from "../../agents/model_deployer/judge/judged_again.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import type { JudgedReport, JudgedRequest } from "./judged_schemas.ts";

type Database = Pick<DeployerDatabase, "rollouts" | "history" | "keptLooks">;

/** Judges a rollout again, look by look. @throws NotFoundError | InvalidRequestError */
export async function judgedReport(
  database: Database,
  { target, settings: asked }: JudgedRequest,
): Promise<JudgedReport> {
  const rollout = await rolloutOf(database, target);
  if (rollout === null) {
    throw new NotFoundError(`There is no rollout ${target}, and no endpoint of that name that had one.`);
  }
  const kept = await database.keptLooks.of(rollout.rollout_id);
  if (kept === null) {
    const why = "it began under a release that kept no looks";
    throw new NotFoundError(`${rollout.rollout_id} cannot be judged again: ${why}.`);
  }
  const settings = settingsOver(rollout.judge, asked);
  const refusal = refuseJudgeSettings(settings);
  if (refusal !== null) throw new InvalidRequestError(refusal);
  return reportOf(rollout, kept, settings);
}

/** The rollout, or the last one of the endpoint; null where there is none. */
export async function rolloutOf(database: Database, target: string): Promise<Rollout | null> {
  return target.startsWith("rollout_") ? database.rollouts.get(target) : database.history.lastRollout(target);
}

function reportOf(rollout: Rollout, kept: KeptLooks, settings: JudgeSettings): JudgedReport {
  const { rollout_id, endpoint_name, status, steps } = rollout;
  const looks = judgeAgain(kept, sidesOf(rollout), settings).map(({ look, verdict }) => ({
    looked_at: look.looked_at,
    step_index: look.step_index,
    share: look.share,
    then: { outcome: look.outcome, reason: look.reason },
    verdict,
  }));
  return { rollout_id, endpoint_name, status, steps, settled_by: rollout.judge, settings, looks };
}
