import type { Deployment } from "../entities.ts";

/** Held by a living process, or `interrupted` and to be resumed; a repair waits for either. */
export interface Busy {
  kind: "held" | "interrupted";
  by: string;
}

export type ServerState =
  | { state: "absent" }
  | { state: "starting" }
  | { state: "ready"; bento_tag: string; replaced?: boolean; replicas?: { state: string }[] }
  | { state: "unresponsive"; reason: string }
  | { state: "failed"; reason: string };

export interface RunningServer {
  deployment_id: string;
  /** Null when the database knows no such deployment. */
  deployment: Deployment | null;
  busy: Busy | null;
}
