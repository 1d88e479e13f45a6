import type { ApiKey } from "../domain/access/api_key.ts";
import type { Ingress, IngressPolicy, PublicKey } from "../domain/access/ingress_policy.ts";
import type { Actor } from "../domain/access/roles.ts";
import type { CallOptions } from "./call_options.ts";

/** Who may call an endpoint, as the database has it; an endpoint without a policy is open to everybody. */
export interface IngressPolicies {
  /** At this moment, for a router to enforce. */
  wanted(endpointName: string): Promise<Ingress>;
  /** Runs as the tables' owner, as do the methods below. */
  set(
    endpoint: { endpoint_name: string; experiment_id: string },
    policy: IngressPolicy,
    why: { reason: string; by: Actor },
  ): Promise<void>;
  /** All that were ever made, the oldest first. */
  keys(endpointName: string): Promise<ApiKey[]>;
  addKey(
    key: {
      key_id: string;
      endpoint_name: string;
      experiment_id: string;
      key_name: string;
      public_key: PublicKey;
      expires_at: string;
    },
    by: Actor,
  ): Promise<void>;
  /** @throws NotFoundError where this endpoint has no such key in force */
  revokeKey(endpointName: string, keyId: string, by: Actor): Promise<void>;
}

/** A router that enforces who may call its endpoints, and how much. */
export interface EndpointIngress {
  /** Whether the endpoint is at a router that enforces its policy; one that was never open is as yet. */
  guards(endpointName: string): Promise<boolean>;
  /**
   * Enforces the endpoint's present policy, and returns its revision once the router has acknowledged it: this one or a
   * newer one. Null where the endpoint has no listener, which gets its policy before it is opened.
   * @throws ServiceRefusedError when the router rejects it; what was in force stays.
   */
  enforce(endpointName: string, options: CallOptions): Promise<number | null>;
  /** The revision that the router enforces; null without a listener, or while its parts differ. */
  enforced(endpointName: string, options: CallOptions): Promise<number | null>;
}
