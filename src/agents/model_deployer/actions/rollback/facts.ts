import type { Deployment, ModelVersion, Endpoint } from "../../domain/entities.ts";
import type { Rollout } from "../../domain/traffic/rollout.ts";
import type { LiveFigures } from "../../judge/counts/live_figures.ts";
import type { ServedBefore, StoredRollbackFacts, WaysBack } from "../../domain/traffic/ways_back.ts";
import type { ServerPresence } from "../../planning/ways_out/way_back.ts";

/** All null for a deployment that does not exist. */
export interface RollbackFacts extends Omit<
  StoredRollbackFacts,
  "current" | "previous_restarts" | "previous_is_stopping"
> {
  current: Deployment | null;
  previous_server: ServerPresence;
  live: LiveFigures;
}

/** For a rollback by name, or on an endpoint where nothing serves. */
export interface ReturnFacts {
  ways: WaysBack;
  /** The one that loses its traffic; null where nothing serves. */
  current: ServedBefore | null;
  target: ServedBefore;
  server: ServerPresence;
  /** Whether its bento is in the store. */
  is_packaged: boolean;
  /** The completed rollout that had given the current deployment all traffic. */
  completed_rollout: Rollout | null;
  live: LiveFigures;
  /** How long a baseline that is passed over stays warm. */
  retention_seconds: number;
}

export interface Reversal {
  current: Deployment;
  currentVersion: ModelVersion;
  endpoint: Endpoint;
  previous: Deployment;
  previousVersion: ModelVersion;
  rollout: Rollout | null;
  server: ServerPresence;
  live: LiveFigures;
}
