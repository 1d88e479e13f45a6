import type { z } from "zod";
import { judge, type Judged, type JudgedSides, observe } from "./canary_judge.ts";
import type { Metrics } from "./entities.ts";
import type { Rollout, Verdict, VersionFigures } from "./rollout.ts";

/** What the router had counted when a move was decided, or why that is not known: no move waits for it. */
export type LiveFigures = { figures: VersionFigures[] } | { missing: string };

/** The figures of a moment as the history keeps them. */
export interface Moment {
  /** By name. Counts are since the rollout began where one was judged, else since the version's first request. */
  metrics: Metrics;
  /** `live_figures`: the router's own counts, since each version's first request; null where they are not known. */
  evidence: Record<string, z.core.util.JSONType>;
}

/** @param verdict what a judge saw, whose counts come before the router's own */
export function momentOf(live: LiveFigures, sides: JudgedSides, verdict: Verdict | null): Moment {
  const seen = (id: string) =>
    "figures" in live ? live.figures.find((one) => one.deployment_id === id) : undefined;
  const candidate = seen(sides.candidate_id);
  const baseline = seen(sides.baseline_id);
  const metrics = {
    ...metricsOf("candidate", verdict?.candidate ?? candidate, candidate),
    ...metricsOf("baseline", verdict?.baseline ?? baseline, baseline),
    ...(verdict === null || verdict.e_value === null ? {} : { e_value: verdict.e_value }),
  };
  if ("missing" in live) {
    return { metrics, evidence: { live_figures: null, live_figures_missing: live.missing } };
  }
  return { metrics, evidence: { live_figures: { candidate: shown(candidate), baseline: shown(baseline) } } };
}

/** The figures of a rollout at this moment, which nobody need have looked at since its last look. */
export function momentOfRollout(rollout: Rollout, live: LiveFigures): Moment {
  return momentOf(live, sidesOf(rollout), judgedNow(rollout, live)?.verdict ?? rollout.verdict);
}

/** What a look at this moment comes to; null where there is nothing to look at. */
export function judgedNow(rollout: Rollout | null, live: LiveFigures): Judged | null {
  if (rollout === null || "missing" in live) return null;
  const state = observe(rollout.judge_state, live.figures, sidesOf(rollout), rollout.judge);
  return { state, verdict: judge(state, rollout.judge) };
}

export function sidesOf(rollout: Rollout): JudgedSides {
  return { candidate_id: rollout.deployment_id, baseline_id: rollout.baseline_deployment_id };
}

/** Whether callers got an answer that was no error since the figures were read before. */
export function answeredSince(id: string, before: VersionFigures[], now: VersionFigures[]): boolean {
  const good = (one: VersionFigures | undefined) => (one === undefined ? 0 : one.requests - one.errors);
  const [last, present] = [before, now].map((list) => list.find((one) => one.deployment_id === id));
  return present !== undefined && good(present) > (last?.epoch === present.epoch ? good(last) : 0);
}

/** What a degraded answer says of figures that were not had. */
export function missingNotes(live: LiveFigures): string[] {
  if ("figures" in live) return [];
  return [`degraded: the history has no live figures of this moment: ${live.missing}`];
}

function metricsOf(
  side: "candidate" | "baseline",
  counts: Pick<VersionFigures, "requests" | "errors"> | undefined,
  figures: VersionFigures | undefined,
): Metrics {
  const { p50_ms = null, p99_ms = null } = figures ?? {};
  return {
    ...(counts === undefined
      ? {}
      : { [`${side}_requests`]: counts.requests, [`${side}_errors`]: counts.errors }),
    ...(p50_ms === null ? {} : { [`${side}_p50_ms`]: p50_ms }),
    ...(p99_ms === null ? {} : { [`${side}_p99_ms`]: p99_ms }),
  };
}

function shown(figures: VersionFigures | undefined): z.core.util.JSONType {
  if (figures === undefined) return null;
  const { deployment_id, requests, errors, p50_ms, p99_ms } = figures;
  return { deployment_id, requests, errors, p50_ms, p99_ms };
}
