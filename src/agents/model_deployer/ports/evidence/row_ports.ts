import type { KeptRow, KeptRowSettings, Row, RowAnswer } from "../../domain/evidence/kept_rows.ts";
import type { CallOptions } from "../call_options.ts";
import type { LogPositions } from "./shadow_ports.ts";

/** Servers that keep rows, and predict them again; an engine without it leaves it out of the parts. */
export interface RowServers {
  /** Whether the deployment's engine keeps rows, and sends them past the router. */
  takesRows(deploymentId: string): Promise<boolean>;
  /** From now on the deployment's servers log the inputs of sampled requests; null ends it. Idempotent. */
  keepRows(deploymentId: string, settings: KeptRowSettings | null, options: CallOptions): Promise<void>;
  /**
   * Sends a row to one of the deployment's servers, past the router: nobody's figures and logs count it.
   * @throws ServerNotReadyError where none runs
   */
  predictRow(deploymentId: string, row: Row, options: CallOptions): Promise<RowAnswer>;
}

export interface CollectedRows {
  /** The positions that were read from. */
  from: LogPositions;
  /** Those that are read now. */
  to: LogPositions;
  rows: KeptRow[];
  /** Rows of the endpoint that are kept at most. */
  most: number;
  /** Whether the same input may look different at another server, since fields of it are hashed. */
  hashes: boolean;
}

/** An endpoint whose rows are kept, or whose former ones are still to be forgotten. */
export interface RowKeepingEndpoint {
  endpoint_name: string;
  /** Deployments that answer there, mirrored ones included. */
  deployment_ids: string[];
  /** Null where the policy keeps none any more. */
  settings: KeptRowSettings | null;
}

/** Requests that were kept with what each side answered. */
export interface KeptRowStore {
  endpoints(): Promise<RowKeepingEndpoint[]>;
  positions(endpointName: string): Promise<LogPositions>;
  /** Changes nothing when another collector has read on from `from` already. */
  collect(endpointName: string, collected: CollectedRows): Promise<void>;
  /** The newest ones first. */
  list(endpointName: string, options: { limit: number }): Promise<KeptRow[]>;
  /** Deletes all of an endpoint. */
  forget(endpointName: string): Promise<void>;
}
