import type { Deployment, ModelVersion, Endpoint } from "../../domain/entities.ts";

export interface RestartFacts {
  deployment: Deployment | null;
  version: ModelVersion | null;
  endpoint: Endpoint | null;
}
