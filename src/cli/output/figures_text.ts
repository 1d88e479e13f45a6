import type { Metrics } from "../../agents/model_deployer/domain/entities.ts";

/** `candidate failed 31 of 412, baseline 1 of 3801, p99 120 ms and 14 ms`; null where a change was decided by no figures. */
export function figuresText(metrics: Metrics): string | null {
  const failed = (side: "candidate" | "baseline"): string | null => {
    const requests = metrics[`${side}_requests`];
    return requests === undefined ? null : `${metrics[`${side}_errors`] ?? 0} of ${requests}`;
  };
  const [candidate, baseline] = [failed("candidate"), failed("baseline")];
  const parts = [
    candidate === null ? null : `candidate failed ${candidate}`,
    baseline === null ? null : `baseline ${candidate === null ? "failed " : ""}${baseline}`,
    p99Text(metrics),
  ].filter((part) => part !== null);
  return parts.length === 0 ? null : parts.join(", ");
}

function p99Text({ candidate_p99_ms: candidate, baseline_p99_ms: baseline }: Metrics): string | null {
  const known = [candidate, baseline].filter((one) => one !== undefined).map((one) => `${rounded(one)} ms`);
  return known.length === 0 ? null : `p99 ${known.join(" and ")}`;
}

const rounded = (value: number): number => Math.round(value * 10) / 10;
