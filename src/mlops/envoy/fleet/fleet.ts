/** The files that an endpoint's Envoys begin with. */
export interface FleetEndpoint {
  endpoint_name: string;
  /** Fixed for the endpoint's life; an Envoy is started with it. */
  bootstrap: string;
  /** The files of an endpoint that was never opened before. */
  clusters: string;
  routes: string;
}

/** One Envoy that gets callers. */
export interface FleetEnvoy {
  /** Names the life of its process, and so of its counters. */
  run: string;
  /** The body of its admin interface's answer to a GET. @throws ServiceUnavailableError */
  ask(path: string, signal: AbortSignal): Promise<string>;
  /** The last line of its log. */
  complaint(signal: AbortSignal): Promise<string>;
}

/** The files that carry clusters and routes to all Envoys of an endpoint. */
export interface KeptFiles {
  /** Changes with each write. */
  version: string;
  /** The newest generation that somebody has begun to apply. */
  claimed: number;
  clusters: string;
  routes: string;
  /** A note that is remembered beside the files; empty before the first time. */
  note: string;
}

export type FileChange = Partial<Omit<KeptFiles, "version">>;

/** Envoys that serve endpoints, several for each, somewhere else than on this machine. */
export interface EnvoyFleet {
  /** Makes what is missing of the endpoint and waits until an Envoy of it is ready. @throws EndpointCreationError */
  open(endpoint: FleetEndpoint, signal: AbortSignal): Promise<{ endpoint_url: string }>;
  /** The endpoint's Envoys that are ready; none where it is closed. */
  envoys(endpointName: string, signal: AbortSignal): Promise<FleetEnvoy[]>;
  /** Null where the endpoint was never opened. */
  files(endpointName: string, signal: AbortSignal): Promise<KeptFiles | null>;
  /**
   * Changes the files as they were seen, and has each Envoy take them at once; false where somebody changed them since.
   */
  write(endpointName: string, seen: KeptFiles, change: FileChange, signal: AbortSignal): Promise<boolean>;
  /** Ends the endpoint's Envoys; its files and its address stay. Idempotent. */
  close(endpointName: string, signal: AbortSignal): Promise<void>;
}
