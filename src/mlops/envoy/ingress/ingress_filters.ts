import {
  type Ingress,
  type Rate,
  type TokenIssuer,
} from "../../../agents/model_deployer/domain/access/ingress_policy.ts";
import { KEY_ISSUER } from "../../../agents/model_deployer/domain/access/api_key.ts";
import { answerHeader } from "../route_config.ts";
import { extension } from "../extension.ts";

/** The filter of the listener that the file below configures; without it a listener answers 500 to everybody. */
export const INGRESS_FILTER = "ingress_policy";
export const INGRESS_FILTER_TYPE =
  "type.googleapis.com/envoy.extensions.filters.http.filter_chain.v3.FilterChainConfig";

/** Where a verified key or token is found by the filters after it. */
const CALLER = "caller";
const JWT_FILTER = "envoy.filters.http.jwt_authn";
/** Of callers whose requests are counted apart; the one that has been quiet longest is forgotten first. */
const MOST_CALLERS = 100_000;
const UNLIMITED = 4_000_000_000;

/**
 * The filters between a caller and the routes, as Envoy's discovery response: who may call, how often, with how much.
 * One filter holds them all, so that a change of several is one change. Each request takes the filters that are in force
 * when it comes, on old connections too.
 */
export function toIngressFilterFile(ingress: Ingress): string {
  const { policy } = ingress;
  const { rate, caller_rate, body_bytes } = policy.limits;
  const filters = [
    ...authentication(ingress),
    ...(caller_rate === null ? [] : [callerLimit(caller_rate)]),
    ...(rate === null ? [] : [limit("endpoint_rate", rate, {})]),
    ...(body_bytes === null ? [] : [bodyLimit(body_bytes)]),
  ];
  const chain = filters.length === 0 ? {} : { default_filter_chain: { filters } };
  return JSON.stringify({
    version_info: String(ingress.revision),
    resources: [
      {
        "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
        name: INGRESS_FILTER,
        typed_config: { "@type": INGRESS_FILTER_TYPE, ...chain },
      },
    ],
  });
}

/** Keys are tokens too, each signed by a pair of its own, so one filter of Envoy's checks both. */
function authentication({ endpoint_name, policy, keys }: Ingress): object[] {
  const providers = {
    ...(policy.keys && { keys: keyProvider(endpoint_name, keys) }),
    ...(policy.tokens !== null && { tokens: tokenProvider(policy.tokens) }),
  };
  const names = Object.keys(providers);
  if (names.length === 0) return [];
  const demands = names.map((provider_name) => ({ provider_name }));
  const requires = demands.length === 1 ? demands[0] : { requires_any: { requirements: demands } };
  return [
    filter(JWT_FILTER, "filters.http.jwt_authn.v3.JwtAuthentication", {
      providers,
      rules: [{ match: { prefix: "/" }, requires }],
    }),
  ];
}

const common = {
  payload_in_metadata: CALLER,
  require_expiration: true,
  // Verified once, and then found by its text until the next change.
  jwt_cache_config: { jwt_cache_size: 1_000 },
};
const bearer = { name: "authorization", value_prefix: "Bearer " };

/** An endpoint without a key has a set that no key is in, so that nobody gets in. */
function keyProvider(audience: string, keys: Ingress["keys"]): object {
  const jwks = keys.map(({ key_id, public_key }) => ({
    ...public_key,
    kid: key_id,
    alg: "EdDSA",
    use: "sig",
  }));
  return {
    ...common,
    issuer: KEY_ISSUER,
    audiences: [audience],
    from_headers: [bearer, { name: "x-api-key" }],
    clock_skew_seconds: 1,
    local_jwks: { inline_string: JSON.stringify({ keys: jwks.length === 0 ? [NOBODYS_KEY] : jwks }) },
  };
}

/** No pair has this public half, and no token this name. */
const NOBODYS_KEY = {
  kty: "OKP",
  crv: "Ed25519",
  x: Buffer.from("this is the public half of no pair").subarray(0, 32).toString("base64url"),
  kid: "nobody",
  alg: "EdDSA",
  use: "sig",
};

function tokenProvider({ issuer, audience, jwks }: TokenIssuer): object {
  return {
    ...common,
    issuer,
    audiences: [audience],
    from_headers: [bearer],
    clock_skew_seconds: 30,
    local_jwks: { inline_string: JSON.stringify(jwks) },
  };
}

/** A token without a subject shares its limit with all such. */
function callerLimit(rate: Rate): object {
  const subject = {
    descriptor_key: CALLER,
    metadata_key: { key: JWT_FILTER, path: [{ key: CALLER }, { key: "sub" }] },
    default_value: "without a subject",
    source: "DYNAMIC",
  };
  return limit(
    "caller_rate",
    { requests: UNLIMITED, seconds: rate.seconds },
    {
      descriptors: [{ entries: [{ key: CALLER }], token_bucket: bucket(rate) }],
      rate_limits: [{ actions: [{ metadata: subject }] }],
      max_dynamic_descriptors: MOST_CALLERS,
      response_headers_to_add: [retryAfter(rate)],
    },
  );
}

function limit(stat_prefix: string, rate: { requests: number; seconds: number }, more: object): object {
  const all = { default_value: { numerator: 100, denominator: "HUNDRED" } };
  return filter(stat_prefix, "filters.http.local_ratelimit.v3.LocalRateLimit", {
    stat_prefix,
    token_bucket: bucket(rate),
    filter_enabled: all,
    filter_enforced: all,
    response_headers_to_add: [retryAfter(rate)],
    ...more,
  });
}

const bucket = ({ requests, seconds }: { requests: number; seconds: number }) => ({
  max_tokens: requests,
  tokens_per_fill: requests,
  fill_interval: `${seconds}s`,
});

/** Seconds until there is room for one more. */
const retryAfter = ({ requests, seconds }: { requests: number; seconds: number }) =>
  answerHeader("retry-after", String(Math.max(1, Math.ceil(seconds / requests))));

const bodyLimit = (max_request_bytes: number): object =>
  filter("body_size", "filters.http.body_size_limit.v3.BodySizeLimit", { max_request_bytes });

const filter = (name: string, path: string, fields: object): object => ({
  name,
  typed_config: extension(path, fields),
});
