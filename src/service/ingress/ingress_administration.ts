import { AgentError } from "../../agents/base/agent_error.ts";
import {
  type IngressPolicy,
  ingressPolicySchema,
} from "../../agents/model_deployer/domain/access/ingress_policy.ts";
import { endpointName } from "../../agents/model_deployer/domain/values/names.ts";
import type { Actor } from "../../agents/model_deployer/domain/access/roles.ts";
import { ConfigurationError, InvalidRequestError } from "../../agents/model_deployer/errors.ts";
import type { EndpointIngress } from "../../agents/model_deployer/ports/ingress_ports.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import { checkCertificate } from "../../platform/certificate_files.ts";
import { unknownEndpoint } from "../problems/unknown_name.ts";
import {
  type IngressChange,
  type IngressReport,
  type NewKeyReport,
  type NewKeyRequest,
} from "./ingress_schemas.ts";
import { newApiKey } from "./new_api_key.ts";
import { readJwks } from "./read_jwks.ts";

export interface IngressParts {
  database: Pick<DeployerDatabase, "ingressPolicies" | "endpoints" | "overview" | "clock">;
  /** Null where the router lets everybody in. */
  ingress: EndpointIngress | null;
}

interface NamedEndpoint {
  endpoint_name: string;
  experiment_id: string;
  endpoint_url: string | null;
}

/** Also one that is not open yet, so that it can be opened with its policy. @throws NotFoundError */
export async function namedEndpoint(
  name: string,
  { database }: Pick<IngressParts, "database">,
): Promise<NamedEndpoint> {
  const open = await database.endpoints.get(name);
  if (open !== null) {
    const { experiment_id, endpoint_url } = open;
    return { endpoint_name: name, experiment_id, endpoint_url };
  }
  const experiments = await database.overview.experiments();
  const stages = ["production", "staging"] as const;
  const own = experiments.find(({ experiment_id: id }) =>
    stages.some((stage) => endpointName(id, stage) === name),
  );
  if (own === undefined) throw await unknownEndpoint(name, database);
  return { endpoint_name: name, experiment_id: own.experiment_id, endpoint_url: null };
}

const OBSERVE_MS = 3_000;

export async function ingressReport(endpoint: NamedEndpoint, parts: IngressParts): Promise<IngressReport> {
  const { database, ingress } = parts;
  const { endpoint_name, experiment_id, endpoint_url } = endpoint;
  const [{ revision, policy, keys: inForce }, keys, enforced] = await Promise.all([
    database.ingressPolicies.wanted(endpoint_name),
    database.ingressPolicies.keys(endpoint_name),
    enforcedBy(ingress, endpoint_name),
  ]);
  const ids = new Set(inForce.map(({ key_id }) => key_id));
  return {
    ...{ endpoint_name, experiment_id, revision, enforced, policy },
    endpoint_url: endpoint_url === null ? null : addressUnder(policy, endpoint_url),
    keys: keys.map((key) => ({ ...key, is_in_force: ids.has(key.key_id) })),
  };
}

/** The address that callers use: an endpoint keeps its own, and TLS comes and goes by its policy. */
export function addressUnder({ tls }: Pick<IngressPolicy, "tls">, endpointUrl: string): string {
  return endpointUrl.replace(/^https?:/, tls === null ? "http:" : "https:");
}

async function enforcedBy(ingress: EndpointIngress | null, endpointName: string): Promise<number | null> {
  try {
    return (await ingress?.enforced(endpointName, { signal: AbortSignal.timeout(OBSERVE_MS) })) ?? null;
  } catch (error) {
    if (error instanceof AgentError) return null;
    throw error;
  }
}

/** @param change is asked with the policy in force, and may refuse; what it leaves out of `tls` stays as it is */
export async function changeIngressPolicy(
  endpoint: NamedEndpoint,
  change: (before: IngressPolicy) => IngressChange & Partial<Pick<IngressPolicy, "tls">>,
  why: { reason: string; by: Actor },
  parts: IngressParts,
  signal: AbortSignal,
): Promise<void> {
  const { policy: before } = await parts.database.ingressPolicies.wanted(endpoint.endpoint_name);
  const { tls = before.tls, ...changed } = change(before);
  const policy = await changedPolicy({ ...before, tls }, changed, signal);
  await setIngress(endpoint, policy, why, parts, signal);
}

/**
 * The endpoint's policy after the change; the keys of an issuer are read anew.
 * @throws InvalidRequestError where there are none, or one of them is of no use
 */
async function changedPolicy(
  before: IngressPolicy,
  { keys, tokens, limits }: IngressChange,
  signal: AbortSignal,
): Promise<IngressPolicy> {
  const issuer = tokens === null ? null : { ...tokens, jwks: await readJwks(tokens.source, signal) };
  return { ...before, keys, tokens: issuer, limits };
}

/**
 * Writes the policy down and returns once the endpoint's router enforces it, where it runs.
 * @throws InvalidRequestError for a policy that contradicts itself, or a certificate that is of no use
 */
export async function setIngress(
  endpoint: NamedEndpoint,
  policy: IngressPolicy,
  why: { reason: string; by: Actor },
  { database, ingress }: IngressParts,
  signal: AbortSignal,
): Promise<void> {
  const router = await requireIngress(ingress, endpoint.endpoint_name);
  if (why.reason.trim() === "") throw new InvalidRequestError("Say why, for whoever reads the policy later.");
  const checked = ingressPolicySchema.safeParse(policy);
  if (!checked.success) {
    const problems = checked.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
    throw new InvalidRequestError(`The policy is not valid: ${problems.join("; ")}.`, {
      details: { problems },
    });
  }
  if (policy.tls !== null) await checkCertificate(policy.tls, Date.parse(await database.clock.now()));
  await database.ingressPolicies.set(endpoint, checked.data, why);
  await router.enforce(endpoint.endpoint_name, { signal });
}

const DAY_MS = 86_400_000;
const LONGEST_DAYS = 3_660;

/** @throws InvalidRequestError for a key that holds for no time or too long, or has no name */
export async function makeKey(
  { endpoint_name, experiment_id }: NamedEndpoint,
  request: NewKeyRequest,
  by: Actor,
  { database, ingress }: IngressParts,
  signal: AbortSignal,
): Promise<NewKeyReport> {
  const router = await requireIngress(ingress, endpoint_name);
  const { key_name, days } = request;
  if (!(days > 0 && days <= LONGEST_DAYS))
    throw new InvalidRequestError(
      `--expires ${days}: a number of days, above 0 and at most ${LONGEST_DAYS}.`,
    );
  if (key_name.trim() === "" || key_name.length > 100)
    throw new InvalidRequestError("Name the key by 1 to 100 characters: whose it is, and for what.");
  const expires_at = new Date(Date.parse(await database.clock.now()) + days * DAY_MS).toISOString();
  const { key_id, key, public_key } = newApiKey(endpoint_name, expires_at);
  const row = { key_id, public_key, endpoint_name, experiment_id, key_name, expires_at };
  await database.ingressPolicies.addKey(row, by);
  const enforced = await router.enforce(endpoint_name, { signal });
  return { endpoint_name, key_id, key_name, expires_at, key, enforced };
}

export async function revokeKey(
  endpointName: string,
  keyId: string,
  by: Actor,
  { database, ingress }: IngressParts,
  signal: AbortSignal,
): Promise<void> {
  const router = await requireIngress(ingress, endpointName);
  await database.ingressPolicies.revokeKey(endpointName, keyId, by);
  await router.enforce(endpointName, { signal });
}

/** @throws ConfigurationError */
async function requireIngress(
  ingress: EndpointIngress | null,
  endpointName: string,
): Promise<EndpointIngress> {
  if (ingress !== null && (await ingress.guards(endpointName))) return ingress;
  throw new ConfigurationError(
    "The routers in the cluster (MODEL_DEPLOYER_ROUTER=cluster) let everybody in and take no policy: guard them by what stands before them, or let the worker route with MODEL_DEPLOYER_ROUTER=worker.",
  );
}
