import type { z } from "zod";
import type { OutcomeEvidence } from "../../agents/model_deployer/domain/evidence/late_outcomes.ts";
import { defaultJudgeSettings } from "../../agents/model_deployer/domain/traffic/rollout_plan.ts";
import { logOutcomeEvidence, meanLoss } from "../../agents/model_deployer/judge/evidence/outcome_evidence.ts";
import { outcomesSentence } from "../../agents/model_deployer/judge/outcome_verdict.ts";
import { eValue } from "../../agents/model_deployer/judge/signals.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import type { ComparedOutcomes, outcomesReportSchema } from "./outcome_schemas.ts";
import { unknownEndpoint } from "../problems/unknown_name.ts";

/** Answers that are kept of an endpoint, and how right both sides were. @throws NotFoundError */
export async function outcomesReport(
  database: DeployerDatabase,
  endpoint_name: string,
): Promise<z.infer<typeof outcomesReportSchema>> {
  const endpoint = await database.endpoints.get(endpoint_name);
  if (endpoint === null) throw await unknownEndpoint(endpoint_name, database);
  const { kept: kept_answers, repeated_ids } = await database.outcomes.reading(endpoint_name);
  const mirror = endpoint.mirror_deployment_id;
  const found = [
    await ofLastRollout(database, endpoint_name),
    mirror === null ? null : await ofShadow(database, endpoint.experiment_id, mirror),
  ];
  return { endpoint_name, kept_answers, repeated_ids, compared: found.filter((one) => one !== null) };
}

async function ofLastRollout(database: DeployerDatabase, endpoint: string): Promise<ComparedOutcomes | null> {
  const rollout = await database.history.lastRollout(endpoint);
  const asked = rollout?.judge.outcomes ?? null;
  if (rollout === null || asked === null) return null;
  const evidence = await database.outcomes.read(rollout.rollout_id);
  return evidence === null
    ? null
    : compared(
        rollout.rollout_id,
        evidence,
        asked.measure,
        outcomesSentence(evidence, asked, rollout.judge.alpha),
      );
}

async function ofShadow(
  database: DeployerDatabase,
  experiment: string,
  shadow: string,
): Promise<ComparedOutcomes | null> {
  const { outcomes: asked = null, alpha = defaultJudgeSettings.alpha } = (
    await database.experiments.getGatePolicy(experiment)
  ).judge;
  const evidence = asked === null ? null : await database.outcomes.read(shadow);
  return asked === null || evidence === null
    ? null
    : compared(shadow, evidence, asked.measure, outcomesSentence(evidence, asked, alpha));
}

function compared(
  subject: string,
  evidence: OutcomeEvidence,
  measure: ComparedOutcomes["measure"],
  said: string,
): ComparedOutcomes {
  const side = ({ outcomes, loss }: OutcomeEvidence["candidate"]) => ({
    outcomes,
    mean_loss: meanLoss({ outcomes, loss }),
  });
  return {
    subject,
    measure,
    said,
    candidate: side(evidence.candidate),
    baseline: side(evidence.baseline),
    e_value: eValue(logOutcomeEvidence(evidence)),
    wrong_type: evidence.wrong_type,
    without_control: evidence.without_control,
  };
}
