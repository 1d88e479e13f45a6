import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Execute } from "../../invocation/execute.ts";
import { ingressLines } from "../../output/views/ingress_view.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import {
  type IngressReport,
  ingressReportSchema,
  newKeyReportSchema,
} from "../../../service/ingress/ingress_schemas.ts";
import { plainNumber } from "../../number_options.ts";
import { withIngressBackend } from "./ingress_backend.ts";

export function addEndpoints(program: CommandUnknownOpts, execute: Execute): void {
  const endpoints = program.command("endpoints").description("who may call an endpoint, and how much");
  endpoints
    .command("show <endpoint>")
    .description("its policy, whether the router enforces it, and its keys")
    .action((endpoint) =>
      execute("endpoints show", (invocation) =>
        withIngressBackend(invocation, async (backend) => shown(await backend.show(endpoint))),
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
      execute("endpoints set", (invocation) =>
        withIngressBackend(invocation, async (backend) => shown(await backend.set(endpoint, options))),
      ),
    );
  addKeys(endpoints.command("keys").description("keys of an endpoint"), execute);
}

function addKeys(keys: CommandUnknownOpts, execute: Execute): void {
  keys
    .command("make <endpoint>")
    .description("make one more key beside those it has, and show it once")
    .requiredOption("--name <text>", "whose it is, and for what")
    .option("--expires <days>", "until when it holds; a year without it", plainNumber, 365)
    .action((endpoint, options) =>
      execute("endpoints keys make", (invocation) => make(invocation, endpoint, options)),
    );
  keys
    .command("revoke <endpoint> <key>")
    .description("end a key, as endpoints show names it")
    .action((endpoint, key) =>
      execute("endpoints keys revoke", (invocation) =>
        withIngressBackend(invocation, async (backend) => shown(await backend.revokeKey(endpoint, key))),
      ),
    );
}

const shown = (data: IngressReport): Report => report(ingressReportSchema, data, ingressLines);

function make(
  invocation: Invocation,
  name: string,
  { name: key_name, expires: days }: { name: string; expires: number },
): Promise<Report> {
  return withIngressBackend(invocation, async (backend) => {
    const made = await backend.makeKey(name, { key_name, days });
    const { policy } = await backend.show(name);
    const hint = policy.keys
      ? []
      : [`next: model-deployer endpoints set ${name} --callers keys --reason "..."`];
    return report(newKeyReportSchema, made, (data, paint) => [
      `${data.key_id} of ${data.endpoint_name} holds until ${data.expires_at}; shown this once:`,
      paint.bold(data.key),
      paint.dim("a caller brings it as `Authorization: Bearer <key>` or `x-api-key: <key>`"),
      ...hint.map((line) => paint.dim(line)),
    ]);
  });
}
