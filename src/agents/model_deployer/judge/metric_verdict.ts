import type { JudgedSignal, JudgeSettings, JudgeState } from "../domain/evidence/judgement.ts";
import { type MetricEvidence, type MetricSettings, noMetric } from "../domain/evidence/team_metrics.ts";
import {
  breaksBound,
  isWorseByMetric,
  logHoldingEvidence,
  logMetricEvidence,
  metricNumbers,
  metricProblem,
} from "./evidence/metric_evidence.ts";
import { eValue, METRICS_SHARE } from "./signals.ts";
import { logAdd } from "./statistics/experts.ts";

type Known = Pick<JudgeState, "metrics">;
type Asked = Pick<JudgeSettings, "metrics">;

interface NamedMetric {
  name: string;
  settings: MetricSettings;
  evidence: MetricEvidence;
}

const metricsOf = ({ metrics }: Known, { metrics: asked }: Asked): NamedMetric[] =>
  Object.entries(asked).map(([name, settings]) => ({
    name,
    settings,
    evidence: metrics[name] ?? noMetric,
  }));

/** Each metric has an equal part of the share of all. @returns the name of one that fails the candidate, or null */
export function failingMetric(state: Known, settings: JudgeSettings): string | null {
  const each = metricsOf(state, settings);
  const enough = -Math.log((settings.alpha * METRICS_SHARE) / each.length);
  return worseMetric(each, logMetricEvidence, enough);
}

export const speakingMetric = (state: Known, settings: Asked, evidence: number): string | null =>
  worseMetric(metricsOf(state, settings), logHoldingEvidence, evidence);

function worseMetric(
  each: readonly NamedMetric[],
  logEvidence: (evidence: MetricEvidence) => number,
  enough: number,
): string | null {
  const found = each.find(
    ({ evidence, settings }) => logEvidence(evidence) >= enough && isWorseByMetric(evidence, settings),
  );
  return found?.name ?? null;
}

/** Why nothing can be said by some metric; null where all were read. @param needsAll whether all traffic depends on it */
export function missingMetric(state: Known, settings: Asked, needsAll: boolean): string | null {
  for (const { name, evidence, settings: asked } of metricsOf(state, settings)) {
    const problem = metricProblem(evidence, asked);
    if (problem !== null) return `${name} is not known: ${problem}`;
    if (breaksBound(evidence, asked)) {
      return `${name} is ${shown(metricNumbers(evidence, asked).candidate)}, beyond its bound of ${asked.bound}`;
    }
    const { worse, better, alike } = evidence.windows;
    const compared = worse + better + alike;
    if (needsAll && compared < asked.minimum_windows) {
      return `${name} was compared in ${compared} of at least ${asked.minimum_windows} windows of ${asked.every_seconds} s`;
    }
  }
  return null;
}

/** Logarithm of the evidence of all metrics together, by their parts of the share. */
export function logMetricsEvidence(state: Known, settings: Asked): number | null {
  const each = metricsOf(state, settings);
  if (each.length === 0) return null;
  return each.map(({ evidence }) => logMetricEvidence(evidence)).reduce(logAdd) - Math.log(each.length);
}

export const signalsOfMetrics = (state: Known, settings: Asked): JudgedSignal[] =>
  metricsOf(state, settings).flatMap(({ name, evidence, settings: asked }) =>
    evidence.last === null
      ? []
      : [
          {
            signal: `metric:${name}` as const,
            unit: asked.of === null ? ("value" as const) : ("share" as const),
            ...metricNumbers(evidence, asked),
            e_value: eValue(logMetricEvidence(evidence)),
          },
        ],
  );

export const sentencesOfMetrics = (state: Known, settings: Asked): string[] =>
  metricsOf(state, settings).flatMap(({ name, evidence, settings: asked }) => {
    if (evidence.last === null) return [];
    const { candidate, baseline } = metricNumbers(evidence, asked);
    const { worse, better, alike } = evidence.windows;
    const e = eValue(logMetricEvidence(evidence)).toPrecision(3);
    return [
      `${name} ${shown(candidate)} against ${shown(baseline)}, worse in ${worse} of ${worse + better + alike} windows, e-value ${e}`,
    ];
  });

const shown = (value: number | null): string =>
  value === null ? "unknown" : String(Number(value.toPrecision(4)));
