import type { ChangeOf, RolloutEvent } from "../../domain/changes.ts";
import type { Metrics, ShadowEvidence, Stage } from "../../domain/entities.ts";
import type { Rollout } from "../../domain/traffic/rollout.ts";

export interface DatabaseClock {
  /** The database's own time, ISO 8601. */
  now(): Promise<string>;
}

export interface HistoryEvent {
  kind: ChangeOf<"set_stage">["kind"] | "registration" | "traffic" | "criteria" | RolloutEvent;
  occurred_at: string;
  experiment_id: string;
  model_version_id: string | null;
  from_stage: Stage | null;
  to_stage: Stage | null;
  endpoint_name: string | null;
  generation: number | null;
  /** By model version. */
  weights: Record<string, number> | null;
  rollout_id: string | null;
  /** The weights of the generation that was acknowledged before; null for the first, and for moves between stages. */
  from_weights: Record<string, number> | null;
  changed_by: string;
  reason: string;
  /**
   * Figures of that moment: of a move between stages the version's own; of traffic and rollouts those that callers got,
   * as in `Moment`.
   */
  metrics: Metrics;
  /**
   * The evidence for the decision: policy and shadow of a promotion; else the verdict, `live_figures`, and for traffic
   * its `model_metrics`. Of criteria: what held before as `from`, and `to`.
   */
  evidence: Record<string, unknown>;
}

export interface History {
  /** Oldest first. */
  list(experimentId: string): Promise<HistoryEvent[]>;
  /** The versions that an endpoint sent traffic to at an instant, with their weights. */
  inProductionAt(
    endpointName: string,
    instant: string,
  ): Promise<{ model_version_id: string; weight: number }[]>;
  /** The rollout that began last, whatever has become of it. */
  lastRollout(endpointName: string): Promise<Rollout | null>;
  /** The shadow's evidence at the version's last promotion to production; null when it never was promoted there. */
  promotionEvidence(modelVersionId: string): Promise<ShadowEvidence | null>;
}
