import type { CallOptions } from "./call_options.ts";
import type { EngineKind } from "../domain/servers/engines.ts";
import type { Route } from "../domain/traffic/rollout.ts";
import type { VersionFigures } from "../domain/evidence/figures.ts";

/** Of one server; a deployment with several has as many addresses. */
export interface ServerAddress {
  deployment_id: string;
  /** An IP address; with `tls` a name, which is what the server's certificate has to say. */
  host: string;
  port: number;
  /** Reached over TLS, with the router's own credentials for such servers. */
  tls?: true;
}

export interface OpenOptions extends CallOptions {
  /** The engine of the deployment that it is opened for, by which an installation with several chooses among its routers. */
  engine?: EngineKind;
}

export interface TrafficRouter {
  /** Finds or makes the endpoint's listener. The address never changes afterwards. @throws EndpointCreationError */
  open(endpointName: string, options: OpenOptions): Promise<{ endpoint_url: string }>;
  /**
   * Applies a route and returns when the router has acknowledged it. A route with no weights answers 503 and still
   * mirrors. A deployment that is left out of `servers` keeps the address that the endpoint knows of it. A generation at or below the one in force changes nothing and returns what is in force.
   * @throws ServiceRefusedError when the router rejects the route or knows no address; what was in force stays.
   */
  apply(route: Route, servers: ServerAddress[], options: CallOptions): Promise<Route>;
  /** The route that the router reports; null when the endpoint has no listener. */
  observe(endpointName: string, options: CallOptions): Promise<Route | null>;
  /** One entry for each deployment that the endpoint has sent requests to, mirrors included. */
  figures(endpointName: string, options: CallOptions): Promise<VersionFigures[]>;
  /** Ends the listener. Idempotent. */
  close(endpointName: string, options: CallOptions): Promise<void>;
}
