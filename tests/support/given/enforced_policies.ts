import type {
  EndpointIngress,
  IngressPolicies,
} from "../../../src/agents/model_deployer/ports/ingress_ports.ts";

/** A router of which only the policies are of interest; every endpoint that is named is open. */
export class EnforcedPolicies implements EndpointIngress {
  readonly #policies: Pick<IngressPolicies, "wanted">;
  readonly #enforced = new Map<string, number>();

  constructor(policies: Pick<IngressPolicies, "wanted">) {
    this.#policies = policies;
  }

  async guards(): Promise<boolean> {
    return true;
  }

  async enforce(endpointName: string): Promise<number> {
    const { revision } = await this.#policies.wanted(endpointName);
    this.#enforced.set(endpointName, revision);
    return revision;
  }

  async enforced(endpointName: string): Promise<number> {
    return this.#enforced.get(endpointName) ?? 0;
  }
}
