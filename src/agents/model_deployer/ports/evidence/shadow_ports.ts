import type { ShadowEvidence } from "../../domain/entities.ts";
import type { VersionFigures } from "../../domain/evidence/figures.ts";
import type { ShadowComparison } from "../../domain/evidence/shadow_comparison.ts";
import type { LoggedPrediction } from "./prediction_logs_port.ts";

export interface ShadowEvidenceStore {
  /**
   * Adds the growth since the last collection, whatever the counters' epoch.
   * @param production the counters of what has the endpoint's traffic, read at the same time
   */
  collect(
    deploymentId: string,
    figures: VersionFigures,
    production?: VersionFigures[],
  ): Promise<ShadowEvidence>;
  /**
   * Null when nothing was ever collected. The hours end with the last collection, or now where the counters are seen to be
   * in the same `epoch` still.
   */
  read(deploymentId: string, epoch?: string): Promise<ShadowEvidence | null>;
}

/** How far the log of each deployment was read. */
export type LogPositions = Record<string, string>;

export interface CollectedPredictions {
  /** The positions that were read from. */
  from: LogPositions;
  /** Those that are read now. */
  to: LogPositions;
  predictions: (LoggedPrediction & { side: "shadow" | "production" })[];
}

export interface ShadowComparisonStore {
  positions(shadowId: string): Promise<LogPositions>;
  /**
   * Pairs the predictions with those that wait for their counterpart. Changes nothing when another collector has read
   * on from `from` already.
   */
  collect(shadowId: string, collected: CollectedPredictions): Promise<void>;
  /** Null when nothing was ever collected. */
  read(shadowId: string): Promise<ShadowComparison | null>;
  /**
   * Removes what nobody waits for any more, of shadows that have ended, too: lines that were read ten minutes ago, and of a
   * shadow all but its newest hundred thousand.
   */
  forget(): Promise<void>;
}
