import type { z } from "zod";
import type { Endpoint, Metrics } from "../../domain/entities.ts";
import type { VersionFigures } from "../../domain/evidence/figures.ts";
import type { KeptLook } from "../../domain/evidence/kept_look.ts";
import type { JudgeState, Verdict } from "../../domain/evidence/judgement.ts";
import type { Rollout } from "../../domain/traffic/rollout.ts";
import { figuresOf } from "./answers.ts";
import { type JudgedSides, observe, sharingOf } from "../observe.ts";
import { judge } from "../verdict.ts";

/** The router's counts at the time of a decision, or why they are missing: no move waits for them. */
export type LiveFigures = { figures: VersionFigures[] } | { missing: string };

/** The figures of a moment as the history keeps them. */
export interface Moment {
  /** By name. Counts are since the rollout began where there was a verdict, else since the version's first request. */
  metrics: Metrics;
  /** `live_figures`: the router's own counts, since each version's first request; null where they are not known. */
  evidence: Record<string, z.core.util.JSONType>;
}

/** @param verdict a judge's verdict, whose counts take precedence over the router's own */
export function momentOf(live: LiveFigures, sides: JudgedSides, verdict: Verdict | null): Moment {
  const seen = (id: string) => ("figures" in live ? figuresOf(live.figures, id) : undefined);
  const candidate = seen(sides.candidate_id);
  const baseline = seen(sides.baseline_id);
  const metrics = {
    ...metricsOf("candidate", verdict?.candidate ?? candidate, candidate),
    ...metricsOf("baseline", verdict?.baseline ?? baseline, baseline),
    ...(verdict === null || verdict.e_value === null ? {} : { e_value: verdict.e_value }),
    ...(typeof verdict?.worse_by_at_most === "number" ? { worse_by_at_most: verdict.worse_by_at_most } : {}),
  };
  if ("missing" in live) {
    return { metrics, evidence: { live_figures: null, live_figures_missing: live.missing } };
  }
  return { metrics, evidence: { live_figures: { candidate: shown(candidate), baseline: shown(baseline) } } };
}

/** The present figures of a rollout, which may be newer than its last look. */
export function momentOfRollout(rollout: Rollout, endpoint: Endpoint | null, live: LiveFigures): Moment {
  return momentOf(live, sidesOf(rollout), judgedNow(rollout, endpoint, live)?.verdict ?? rollout.verdict);
}

export interface Judged {
  state: JudgeState;
  verdict: Verdict;
  /** The kept part of the look behind it; null where there was no look, or none is kept. */
  kept?: KeptLook | null;
}

/** The verdict of a look at this moment; null where there is nothing to look at. */
export function judgedNow(
  rollout: Rollout | null,
  endpoint: Endpoint | null,
  live: LiveFigures,
): Judged | null {
  if (rollout === null || "missing" in live) return null;
  const sides = sidesOf(rollout);
  const sharing = sharingOf(sides, endpoint);
  const state = observe(rollout.judge_state, live.figures, sides, sharing, rollout.judge);
  return { state, verdict: judge(state, rollout.judge) };
}

export function sidesOf(rollout: Rollout): JudgedSides {
  return { candidate_id: rollout.deployment_id, baseline_id: rollout.baseline_deployment_id };
}

/** Whether callers got an answer without an error since the earlier reading. */
export function answeredSince(id: string, before: VersionFigures[], now: VersionFigures[]): boolean {
  const good = (one: VersionFigures | undefined) => (one === undefined ? 0 : one.requests - one.errors);
  const [last, present] = [before, now].map((list) => figuresOf(list, id));
  return present !== undefined && good(present) > (last?.epoch === present.epoch ? good(last) : 0);
}

/** The note of an answer whose figures are missing. */
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
