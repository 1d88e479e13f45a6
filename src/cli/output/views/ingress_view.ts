import type { IngressPolicy, Rate } from "../../../agents/model_deployer/domain/access/ingress_policy.ts";
import type { IngressReport } from "../../../service/ingress/ingress_schemas.ts";
import { table } from "../terminal/table.ts";
import type { Paint } from "../terminal/terminal.ts";

const UNITS = { 1: "s", 60: "m", 3600: "h" } as const;
const rateText = ({ requests, seconds }: Rate): string => `${requests}/${UNITS[seconds]}`;

/** Who may call, in words; empty where everybody may. */
function callersText({ keys, tokens }: Pick<IngressPolicy, "keys" | "tokens">): string {
  const ways = [...(keys ? ["a key"] : []), ...(tokens === null ? [] : [`a token of ${tokens.issuer}`])];
  return ways.join(" or ");
}

/** The whole policy in a line. */
export function policyText(policy: IngressPolicy): string {
  const callers = callersText(policy);
  return [
    callers === "" ? "everybody" : callers,
    ...(policy.tls === null ? [] : ["over TLS"]),
    ...boundsOf(policy.limits),
  ].join(", ");
}

function boundsOf({ rate, caller_rate, body_bytes, connections }: IngressPolicy["limits"]): string[] {
  return [
    ...(rate === null ? [] : [`${rateText(rate)} in all`]),
    ...(caller_rate === null ? [] : [`${rateText(caller_rate)} for each caller`]),
    ...(body_bytes === null ? [] : [`${body_bytes} bytes a body`]),
    ...(connections === null ? [] : [`${connections} connections`]),
  ];
}

/** One line for each thing that the policy asks for. */
function policyLines(policy: IngressPolicy): string[] {
  const { tls, limits } = policy;
  const { header_seconds, request_seconds, idle_seconds } = limits;
  const callers = callersText(policy);
  const bounds = boundsOf(limits);
  const whole = request_seconds === null ? "" : `, ${request_seconds} s for a whole request`;
  return [
    `callers   ${callers === "" ? "everybody" : `whoever brings ${callers}`}`,
    `TLS       ${tls === null ? "none" : tls.certificate}`,
    `limits    ${bounds.length === 0 ? "none" : bounds.join(", ")}`,
    `patience  ${header_seconds} s for headers${whole}, ${idle_seconds} s of silence`,
  ];
}

export function ingressLines(data: IngressReport, paint: Paint): string[] {
  const state =
    data.enforced === data.revision
      ? paint.green("in force")
      : data.endpoint_url === null
        ? paint.dim("it is opened with this policy")
        : paint.yellow(`the router enforces ${data.enforced === null ? "none" : `policy ${data.enforced}`}`);
  const address = data.endpoint_url === null ? "not open yet" : data.endpoint_url;
  return [
    `${paint.bold(data.endpoint_name)}  ${paint.dim(address)}  policy ${data.revision}: ${state}`,
    ...policyLines(data.policy),
    ...(data.keys.length === 0
      ? []
      : table(
          ["key", "name", "made", "by", "expires", "state"],
          data.keys.map((one) => [
            ...[one.key_id, one.key_name, one.made_at, one.made_by, one.expires_at],
            one.is_in_force
              ? "in force"
              : one.revoked_at === null
                ? "over"
                : `revoked by ${one.revoked_by ?? ""}`,
          ]),
          paint,
        )),
  ];
}
