import {
  type IngressLimits,
  type IngressPolicy,
  type Rate,
} from "../../../agents/model_deployer/domain/access/ingress_policy.ts";
import { InvalidRequestError } from "../../../agents/model_deployer/errors.ts";
import { resolve } from "node:path";
import type { IngressChange } from "../../../service/ingress/ingress_schemas.ts";

export interface IngressOptions {
  reason: string;
  callers?: string[] | undefined;
  issuer?: string | undefined;
  audience?: string | undefined;
  jwks?: string | undefined;
  certificate?: string | undefined;
  certificateKey?: string | undefined;
  rate?: string | undefined;
  callerRate?: string | undefined;
  bodyBytes?: string | undefined;
  connections?: string | undefined;
  headerSeconds?: string | undefined;
  requestSeconds?: string | undefined;
  idleSeconds?: string | undefined;
}

/** Settings that are left out stay as they were. @throws InvalidRequestError */
export function changeOf(before: IngressPolicy, options: IngressOptions): IngressChange {
  const callers = callersOf(options.callers);
  return {
    keys: callers?.includes("keys") ?? before.keys,
    tokens: callers?.includes("tokens") === false ? null : tokensOf(before.tokens, options, callers),
    limits: limitsOf(before.limits, options),
  };
}

/** Files lie on the machine that serves, which reads them again. @throws InvalidRequestError */
export function refuseRemoteFiles({ certificate, certificateKey, jwks }: IngressOptions): void {
  const isAddress = jwks?.startsWith("https:") === true;
  const files: [string, string | undefined, string][] = [
    ["--certificate", certificate, ""],
    ["--certificate-key", certificateKey, ""],
    ["--jwks", isAddress ? undefined : jwks, ", or name an address that begins with https:"],
  ];
  for (const [flag, file, otherwise] of files) {
    if (file === undefined) continue;
    throw new InvalidRequestError(
      `${flag} ${file}: is read where the deployer runs, and MODEL_DEPLOYER_URL is set: set it there, without that variable${otherwise}.`,
    );
  }
}

const CALLERS = ["everybody", "keys", "tokens"];

function callersOf(given: string[] | undefined): string[] | undefined {
  const wrong = given?.find((one) => !CALLERS.includes(one));
  const isBoth = given !== undefined && given.length > 1 && given.includes("everybody");
  if (wrong === undefined && !isBoth) return given;
  throw new InvalidRequestError(
    `--callers ${given?.join(" ") ?? ""}: name everybody, or keys, tokens or both of these.`,
  );
}

function tokensOf(
  before: IngressPolicy["tokens"],
  { issuer = before?.issuer, audience = before?.audience, jwks }: IngressOptions,
  callers: string[] | undefined,
): IngressChange["tokens"] {
  const isTold = [issuer, audience, jwks].some((one) => one !== undefined);
  if (callers?.includes("tokens") !== true && before === null && !isTold) return null;
  const source = jwks ?? before?.source;
  if (issuer === undefined || audience === undefined || source === undefined) {
    throw new InvalidRequestError("Tokens need --issuer, --audience and --jwks, a file or an address.");
  }
  if (callers === undefined && before === null)
    throw new InvalidRequestError("--issuer, --audience and --jwks go with --callers tokens.");
  return { issuer, audience, source };
}

/** The certificate's files after the change. @throws InvalidRequestError */
export function certificateOf(before: IngressPolicy["tls"], options: IngressOptions): IngressPolicy["tls"] {
  const { certificate, certificateKey: key } = options;
  if (certificate === undefined && key === undefined) return before;
  if (certificate === "none" && key === undefined) return null;
  if (certificate === undefined || key === undefined)
    throw new InvalidRequestError(
      "--certificate and --certificate-key go together; --certificate none ends TLS.",
    );
  return { certificate: resolve(certificate), key: resolve(key) };
}

function limitsOf(before: IngressLimits, options: IngressOptions): IngressLimits {
  const number = (flag: string, given: string | undefined, otherwise: number): number =>
    given === undefined ? otherwise : numberOf(flag, given);
  const orNone = (flag: string, given: string | undefined, otherwise: number | null): number | null =>
    given === undefined ? otherwise : given === "none" ? null : numberOf(flag, given);
  return {
    rate: rateOf("--rate", options.rate, before.rate),
    caller_rate: rateOf("--caller-rate", options.callerRate, before.caller_rate),
    body_bytes: orNone("--body-bytes", options.bodyBytes, before.body_bytes),
    connections: orNone("--connections", options.connections, before.connections),
    header_seconds: number("--header-seconds", options.headerSeconds, before.header_seconds),
    request_seconds: orNone("--request-seconds", options.requestSeconds, before.request_seconds),
    idle_seconds: number("--idle-seconds", options.idleSeconds, before.idle_seconds),
  };
}

function numberOf(flag: string, given: string): number {
  if (/^[1-9]\d{0,9}$/.test(given)) return Number(given);
  throw new InvalidRequestError(`${flag} ${given}: a whole number above 0.`);
}

const SECONDS = { s: 1, m: 60, h: 3_600 } as const;

function rateOf(flag: string, given: string | undefined, before: Rate | null): Rate | null {
  if (given === undefined) return before;
  if (given === "none") return null;
  const [, requests, unit] = /^([1-9]\d{0,6})\/([smh])$/.exec(given) ?? [];
  if (requests !== undefined && (unit === "s" || unit === "m" || unit === "h"))
    return { requests: Number(requests), seconds: SECONDS[unit] };
  throw new InvalidRequestError(`${flag} ${given}: write 100/s, 100/m or 100/h, or none.`);
}
