import type { Life } from "../../domain/servers/liveness.ts";
import type { OutcomeEvidence } from "../../domain/evidence/late_outcomes.ts";
import type { Rollout } from "../../domain/traffic/rollout.ts";
import type { VersionFigures } from "../../domain/evidence/figures.ts";
import type { Restarts } from "../../domain/servers/server_restarts.ts";
import type { MetricReadings } from "../../domain/evidence/team_metrics.ts";
import type { ReadLogs } from "../../judge/evidence/prediction_evidence.ts";
import type { RollbackFacts } from "../rollback/facts.ts";

export interface AdvanceFacts extends Omit<RollbackFacts, "live"> {
  rollout: Rollout;
  figures: VersionFigures[];
  candidate_life: Life;
  /** Life of the deployment that served before: while a rollout is open, its baseline. */
  previous_life: Life;
  /** Whether a prediction of it runs for longer than one may, or its server does not answer at all. */
  candidate_hangs: boolean;
  previous_hangs: boolean;
  /** Null unless the last restart of the previous deployment's server failed. */
  previous_restarts: Restarts | null;
  retention_seconds: number;
  /** How long a request may be under way. */
  answer_seconds: number;
  /** The evidence of outcomes that came later; null where the rollout asks for none. */
  outcomes: OutcomeEvidence | null;
  /** Why the newest outcomes are not known; null where they are. */
  outcomes_missing: string | null;
  /** Both sides' predictions since the last look; null where the rollout does not compare them. */
  predictions: ReadLogs | null;
  /** Why that is not known; null where it is. */
  predictions_missing: string | null;
  /** Readings of the team's metrics whose window is over. */
  metrics: MetricReadings;
}
