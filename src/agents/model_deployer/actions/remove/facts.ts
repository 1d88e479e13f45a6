import type { Deployment, Endpoint } from "../../domain/entities.ts";
import type { Rollout } from "../../domain/traffic/rollout.ts";

export interface RemovalFacts {
  deployment: Deployment | null;
  /** As the database has it; null until the deployment's endpoint was opened. */
  endpoint: Endpoint | null;
  /** Another deployment that the endpoint mirrors to and that answers; null without one. */
  other_mirror: string | null;
  open_rollout: Rollout | null;
  /** Those that have traffic on that endpoint. */
  serving: Deployment[];
  /** The deployments that a rollback of what serves production here would bring back. */
  ways_back: string[];
}
