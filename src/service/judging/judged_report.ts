import { isDeepStrictEqual } from "node:util";
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
  const refusal = refuseJudgeSettings(settings) ?? refuseOtherEvidence(rollout.judge, settings);
  if (refusal !== null) throw new InvalidRequestError(refusal);
  return reportOf(rollout, kept, settings);
}

/** Looks keep what outcomes and metrics showed, not each of them: they can be judged again, and not compared otherwise. */
function refuseOtherEvidence(had: JudgeSettings, asked: JudgeSettings): string | null {
  const measure = (settings: JudgeSettings) => settings.outcomes?.measure ?? "nothing";
  if (asked.outcomes !== null && measure(had) !== measure(asked))
    return `outcomes.measure is ${measure(asked)}, and the rollout compared outcomes by ${measure(had)}: looks keep no others, so leave it as it was.`;
  const other = Object.entries(asked.metrics).find(([name, settings]) => {
    const { [name]: before } = had.metrics;
    return (
      before === undefined ||
      !isDeepStrictEqual({ ...before, minimum_windows: 0 }, { ...settings, minimum_windows: 0 })
    );
  });
  return other === undefined
    ? null
    : `metrics.${other[0]} is not what the rollout compared: looks keep what that showed, so leave all but its minimum_windows as it was, or leave it out.`;
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
