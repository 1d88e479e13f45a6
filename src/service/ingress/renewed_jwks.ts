import { isDeepStrictEqual } from "node:util";
import { AgentError } from "../../agents/base/agent_error.ts";
import { type IngressParts, setIngress } from "./ingress_administration.ts";
import { readJwks } from "./read_jwks.ts";

const WORKER = { who: "worker", origin: null };

/**
 * Reads the keys of each endpoint's issuer of tokens anew, as issuers change them; where they cannot be read, those that
 * are known go on.
 * @returns a sentence for each endpoint whose keys changed, or could not be read
 */
export async function renewJwks(parts: IngressParts, signal: AbortSignal): Promise<string[]> {
  const { database } = parts;
  const sentences: string[] = [];
  for (const endpoint of await database.endpoints.list()) {
    const { policy } = await database.ingressPolicies.wanted(endpoint.endpoint_name);
    const { tokens } = policy;
    if (tokens === null) continue;
    const what = `the keys of ${tokens.issuer} for ${endpoint.endpoint_name}`;
    try {
      const jwks = await readJwks(tokens.source, signal);
      if (isDeepStrictEqual(jwks, tokens.jwks)) continue;
      const why = { reason: `${tokens.source} has other keys than before`, by: WORKER };
      await setIngress(endpoint, { ...policy, tokens: { ...tokens, jwks } }, why, parts, signal);
      sentences.push(`${what} were read anew: ${jwks.keys.length} are taken now`);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      sentences.push(`${what} could not be read anew, and those that are known go on: ${error.message}`);
    }
  }
  return sentences;
}
