import type { Deployment, Endpoint, ModelVersion } from "../../domain/entities.ts";

/** The present use of one server of the deployment. */
export interface UsedByServer {
  replica: number;
  memory_bytes: number;
}

export interface UpdateFacts {
  deployment: Deployment | null;
  version: ModelVersion | null;
  endpoint: Endpoint | null;
  /** Null where nobody measures it. */
  used: UsedByServer[] | null;
}
