import type { KeyFor } from "../pipeline/prediction_synthesizer.ts";
import type { Configuration } from "./settings/configuration.ts";

/** The configured key, for endpoints at the hosts that this deployer opens them at, and for nobody else. */
export function endpointKeys({
  endpointKey,
  endpointHost,
  bindHost,
}: Pick<Configuration, "endpointKey" | "endpointHost" | "bindHost">): KeyFor {
  const own = new Set(["127.0.0.1", "localhost", bindHost, endpointHost]);
  return (endpointUrl) =>
    URL.canParse(endpointUrl) && own.has(new URL(endpointUrl).hostname) ? endpointKey : null;
}
