import type { ApiOptions } from "../../../src/api/api.ts";
import type { TestDeployer } from "../../../src/testing/index.ts";
import { EnforcedPolicies } from "./enforced_policies.ts";
import { givenSecrets } from "./given_secrets.ts";

/** What an API needs of a deployer in memory, whose router `guards` its endpoints where that is said. */
export function servedInMemory(
  { database, settings, parts, router, server }: TestDeployer,
  { guards = false }: { guards?: boolean | undefined } = {},
): Pick<ApiOptions, "deployer" | "statusSource" | "version"> {
  const ingress = guards ? { ingress: new EnforcedPolicies(database.ingressPolicies) } : {};
  return {
    deployer: { parts: { ...parts, ...ingress }, settings, database, secrets: givenSecrets() },
    statusSource: {
      database,
      router,
      ingress: null,
      server: { observe: server.observe.bind(server), trySample: async () => ({ sample: "none" }) },
      shortages: async () => [],
      underWay: async () => [],
    },
    version: "0.0.0",
  };
}
