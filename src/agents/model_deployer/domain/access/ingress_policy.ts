import { z } from "zod";
import { isPlainName } from "../values/plain_text.ts";

/** So many requests in so many seconds; the seconds are those of one second, minute or hour. */
export const rateSchema = z.strictObject({
  requests: z.int().min(1).max(1_000_000),
  seconds: z.literal([1, 60, 3_600]),
});
export type Rate = z.infer<typeof rateSchema>;

/** A server takes bodies of this size at most, whatever a policy says. */
export const LARGEST_BODY_BYTES = 16 * 1024 * 1024;

export const ingressLimitsSchema = z.strictObject({
  /** Of all callers together. */
  rate: rateSchema.nullable(),
  /** Of each key, or of each subject of a token. */
  caller_rate: rateSchema.nullable(),
  body_bytes: z.int().min(1).max(LARGEST_BODY_BYTES).nullable(),
  /** Connections at a time. */
  connections: z.int().min(1).max(65_536).nullable(),
  /** For a request's headers to arrive. */
  header_seconds: z.int().min(1).max(60),
  /** For a whole request to arrive; null waits as long as something of it comes. */
  request_seconds: z.int().min(1).max(3_600).nullable(),
  /** Without a byte either way, a request's answer included. */
  idle_seconds: z.int().min(1).max(3_600),
});
export type IngressLimits = z.infer<typeof ingressLimitsSchema>;

const jwkSchema = z.looseObject({ kty: z.enum(["RSA", "EC", "OKP"]), kid: z.string().optional() });
export const jwksSchema = z.strictObject({ keys: z.array(jwkSchema).min(1).max(100) });
export type Jwks = z.infer<typeof jwksSchema>;

/** Tokens of somebody else that are taken: signed by one of these keys, by this issuer, for this audience. */
export const tokenIssuerSchema = z.strictObject({
  issuer: z.string().min(1).max(500).refine(isPlainName, "holds characters that are not seen"),
  audience: z.string().min(1).max(500).refine(isPlainName, "holds characters that are not seen"),
  /** The file or the address that the keys come from. */
  source: z.string().min(1).max(2_000),
  jwks: jwksSchema,
});
export type TokenIssuer = z.infer<typeof tokenIssuerSchema>;

/** Files of the machine that the router runs on. */
export const certificateFilesSchema = z.strictObject({
  certificate: z.string().startsWith("/"),
  key: z.string().startsWith("/"),
});
export type CertificateFiles = z.infer<typeof certificateFilesSchema>;

/** Who may call an endpoint, and how much. Without keys and tokens, everybody may. */
export const ingressPolicySchema = z
  .strictObject({
    /** Whether one of the endpoint's own keys lets a caller in. */
    keys: z.boolean(),
    tokens: tokenIssuerSchema.nullable(),
    tls: certificateFilesSchema.nullable(),
    limits: ingressLimitsSchema,
  })
  .refine(({ keys, tokens, limits }) => limits.caller_rate === null || keys || tokens !== null, {
    path: ["limits", "caller_rate"],
    message: "tells callers apart by their key or token: demand one",
  });
export type IngressPolicy = z.infer<typeof ingressPolicySchema>;

export const OPEN_INGRESS: IngressPolicy = {
  keys: false,
  tokens: null,
  tls: null,
  limits: {
    rate: null,
    caller_rate: null,
    body_bytes: null,
    connections: null,
    header_seconds: 10,
    request_seconds: null,
    idle_seconds: 60,
  },
};

/** The public half of a key's pair, by which the router knows the key. */
export const publicKeySchema = z.strictObject({
  kty: z.literal("OKP"),
  crv: z.literal("Ed25519"),
  x: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
});
export type PublicKey = z.infer<typeof publicKeySchema>;

/** The policy and keys that an endpoint's router has to enforce. */
export interface Ingress {
  endpoint_name: string;
  /** Only rises, with each change of the policy and of its keys. */
  revision: number;
  policy: IngressPolicy;
  /** Those that are neither revoked nor over. */
  keys: { key_id: string; public_key: PublicKey }[];
}

export const openIngress = (endpointName: string): Ingress => ({
  endpoint_name: endpointName,
  revision: 0,
  policy: OPEN_INGRESS,
  keys: [],
});
