import type { Answers } from "../domain/evidence/figures.ts";
import type { JudgeState } from "../domain/evidence/judgement.ts";
import type { Evidence } from "./comparison.ts";
import { eValue, QUANTILES, quantileOf } from "./signals.ts";

export const percent = (value: number): string => `${(100 * value).toFixed(2)} %`;

/** The numbers of a verdict, as a person reads them. */
export function numbersOf(state: JudgeState, evidence: Evidence, excluded: number | null): string {
  const { candidate, baseline } = state;
  const isTimed = candidate.latency.length > 0 && baseline.latency.length > 0;
  return [
    `candidate failed ${counted(candidate, candidate.errors)}${kindsOf(candidate)}`,
    `baseline ${counted(baseline, baseline.errors)}${kindsOf(baseline)}`,
    `e-value ${shown(evidence.errors)}`,
    ...(excluded === null ? [] : [`worse by at most ${percent(excluded)}`]),
    ...refused(state, evidence),
    ...(isTimed ? [timed(state, evidence)] : []),
  ].join(", ");
}

const counted = ({ requests }: Answers, marked: number): string =>
  `${marked} of ${requests} (${percent(requests === 0 ? 0 : marked / requests)})`;

function kindsOf({ timeouts, resets }: Answers): string {
  const kinds = [
    ...(timeouts > 0 ? [`${timeouts} by timeout`] : []),
    ...(resets > 0 ? [`${resets} by a broken connection`] : []),
  ];
  return kinds.length === 0 ? "" : ` of which ${kinds.join(" and ")}`;
}

function refused({ candidate, baseline }: JudgeState, evidence: Evidence): string[] {
  if (candidate.client_errors + baseline.client_errors === 0) return [];
  const ofCandidate = counted(candidate, candidate.client_errors);
  const ofBaseline = counted(baseline, baseline.client_errors);
  return [
    `4xx to ${ofCandidate} by the candidate and ${ofBaseline} by the baseline, e-value ${shown(evidence.client_errors)}`,
  ];
}

function timed({ candidate, baseline }: JudgeState, evidence: Evidence): string {
  const of = ({ latency }: Answers) =>
    QUANTILES.map(({ quantile }) => shortened(quantileOf(latency, quantile))).join("/");
  return `p50/p90/p99 ${of(candidate)} ms against ${of(baseline)} ms, e-value ${shown(evidence.latency)}`;
}

const shortened = (ms: number | null): string => (ms === null ? "?" : String(Number(ms.toPrecision(3))));
const shown = (log: number): string => eValue(log).toPrecision(3);
