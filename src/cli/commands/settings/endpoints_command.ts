import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Execute } from "../../invocation/execute.ts";
import { ingressLines } from "../../output/views/ingress_view.ts";
import { actorOf } from "../../invocation/requester.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import {
  ingressReport,
  makeKey,
  namedEndpoint,
  revokeKey,
  setIngress,
} from "../../../service/ingress/ingress_administration.ts";
import { ingressReportSchema, newKeyReportSchema } from "../../../service/ingress/ingress_schemas.ts";
import type { Observer } from "../../../wiring/observer.ts";
import { type IngressOptions, policyOf } from "./ingress_options.ts";
import { aNumber } from "../../number_options.ts";

export function addEndpoints(program: CommandUnknownOpts, execute: Execute): void {
  const endpoints = program.command("endpoints").description("who may call an endpoint, and how much");
  endpoints
    .command("show <endpoint>")
    .description("its policy, whether the router enforces it, and its keys")
    .action((endpoint) =>
      execute("endpoints show", (invocation) =>
        invocation.withObserver(async (observer) => shown(endpoint, observer)),
      ),
    );
  endpoints
    .command("set <endpoint>")
    .description("set who may call it and how much; what is left out stays as it is")
    .requiredOption("--reason <text>", "why; kept with the policy")
    .option("--callers <who...>", "everybody; or keys, tokens or both")
    .option("--issuer <name>", "who issues the tokens, as they say")
    .option("--audience <name>", "whom the tokens are for, as they say")
    .option("--jwks <source>", "the keys that tokens are signed by: a file, or an address with TLS")
    .option("--certificate <file>", "of the endpoint, with its chain, for TLS; none ends TLS")
    .option("--certificate-key <file>", "its private key")
    .option("--rate <rate>", "requests of all callers together, as 100/s, 100/m or 100/h; or none")
    .option("--caller-rate <rate>", "requests of each key, or of each token's subject; or none")
    .option("--body-bytes <count>", "the largest body; or none")
    .option("--connections <count>", "at a time; or none")
    .option("--header-seconds <count>", "for a request's headers to arrive")
    .option("--request-seconds <count>", "for a whole request to arrive; or none")
    .option("--idle-seconds <count>", "without a byte, until a request is ended")
    .action((endpoint, options) =>
      execute("endpoints set", (invocation) => set(invocation, endpoint, options)),
    );
  addKeys(endpoints.command("keys").description("keys of an endpoint"), execute);
}

function addKeys(keys: CommandUnknownOpts, execute: Execute): void {
  keys
    .command("make <endpoint>")
    .description("make one more key beside those it has, and show it once")
    .requiredOption("--name <text>", "whose it is, and for what")
    .option("--expires <days>", "until when it holds; a year without it", aNumber, 365)
    .action((endpoint, options) =>
      execute("endpoints keys make", (invocation) => make(invocation, endpoint, options)),
    );
  keys
    .command("revoke <endpoint> <key>")
    .description("end a key, as endpoints show names it")
    .action((endpoint, key) =>
      execute("endpoints keys revoke", (invocation) => revoke(invocation, endpoint, key)),
    );
}

async function shown(name: string, observer: Observer): Promise<Report> {
  const endpoint = await namedEndpoint(name, observer);
  return report(ingressReportSchema, await ingressReport(endpoint, observer), ingressLines);
}

async function asked(invocation: Invocation, name: string, observer: Observer) {
  const endpoint = await namedEndpoint(name, observer);
  const needs = { right: "configure", extent: endpoint.experiment_id, subject: name } as const;
  return { endpoint, by: await actorOf(invocation, observer.database, needs) };
}

function set(invocation: Invocation, name: string, options: IngressOptions): Promise<Report> {
  return invocation.withObserver(async (observer) => {
    const { endpoint, by } = await asked(invocation, name, observer);
    const { policy: before } = await observer.database.ingressPolicies.wanted(name);
    const policy = await policyOf(before, options, invocation.signal);
    await setIngress(endpoint, policy, { reason: options.reason, by }, observer, invocation.signal);
    return shown(name, observer);
  });
}

function make(
  invocation: Invocation,
  name: string,
  { name: key_name, expires: days }: { name: string; expires: number },
): Promise<Report> {
  return invocation.withObserver(async (observer) => {
    const { endpoint, by } = await asked(invocation, name, observer);
    const made = await makeKey(endpoint, { key_name, days }, by, observer, invocation.signal);
    const { policy } = await observer.database.ingressPolicies.wanted(name);
    const hint = policy.keys
      ? []
      : [`next: model-deployer endpoints set ${name} --callers keys --reason "..."`];
    return report(newKeyReportSchema, { endpoint_name: name, key_name, ...made }, (data, paint) => [
      `${data.key_id} of ${data.endpoint_name} holds until ${data.expires_at}; shown this once:`,
      paint.bold(data.key),
      paint.dim("a caller brings it as `Authorization: Bearer <key>` or `x-api-key: <key>`"),
      ...hint.map((line) => paint.dim(line)),
    ]);
  });
}

function revoke(invocation: Invocation, name: string, keyId: string): Promise<Report> {
  return invocation.withObserver(async (observer) => {
    const { by } = await asked(invocation, name, observer);
    await revokeKey(name, keyId, by, observer, invocation.signal);
    return shown(name, observer);
  });
}
