import type { JudgedSignal, JudgeSettings, JudgeState } from "../domain/evidence/judgement.ts";
import { logPredictionEvidence, type Shift, shiftOf } from "./evidence/prediction_evidence.ts";
import { percent } from "./sentences.ts";
import { eValue } from "./signals.ts";

type Asked = Pick<JudgeSettings, "predictions">;

/** Whether predictions differ by the share that the policy allows, or more, with that much evidence. */
export function arePredictionsShifted(
  { predictions }: Pick<JudgeState, "predictions">,
  { predictions: asked }: Asked,
  evidence: number,
): boolean {
  const allowed = asked?.maximum_shift ?? null;
  if (predictions === null || allowed === null) return false;
  const shift = shiftOf(predictions);
  return shift !== null && shift.shift >= allowed && logPredictionEvidence(predictions) >= evidence;
}

/** The numbers of both sides' predictions; none where nothing was compared. */
export function signalOfPredictions({ predictions }: Pick<JudgeState, "predictions">): JudgedSignal[] {
  const shift = predictions === null ? null : shiftOf(predictions);
  if (predictions === null || shift === null) return [];
  const { candidate, baseline } = shift;
  const e_value = eValue(logPredictionEvidence(predictions));
  return [{ signal: "predictions", unit: "share", candidate, baseline, e_value }];
}

export function sentencesOfPredictions({ predictions }: JudgeState, { predictions: asked }: Asked): string[] {
  if (asked === null) return [];
  if (predictions === null || predictions.bins === null) return ["no predictions are logged to be compared"];
  const shift = shiftOf(predictions);
  return shift === null ? [] : [sentenceOf(shift, logPredictionEvidence(predictions))];
}

function sentenceOf({ what, candidate, baseline, shift, predictions }: Shift, evidence: number): string {
  const each = `${percent(candidate)} of ${predictions.candidate} by the candidate and ${percent(baseline)} of ${predictions.baseline} by the baseline`;
  return `${what} ${each}, predictions shifted by ${percent(shift)}, e-value ${eValue(evidence).toPrecision(3)}`;
}
