import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { z } from "zod";
import { grantSchema } from "../../../agents/model_deployer/domain/access/roles.ts";
import { instantSchema } from "../../../agents/model_deployer/domain/entities.ts";
import { ConfigurationError, InvalidRequestError } from "../../../agents/model_deployer/errors.ts";
import type { ProviderDescription } from "../../../agents/model_deployer/ports/identity_provider.ts";
import {
  openedSessionSchema,
  providerSchema,
  type signInRequestSchema,
} from "../../../service/people/sign_in_schemas.ts";
import type { Execute } from "../../invocation/execute.ts";
import { forgetSession, keepSession, keptSession } from "../../remote/kept_session.ts";
import { RemoteApi } from "../../remote/remote_api.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";

interface LoginOptions {
  device?: true | undefined;
  client?: string | undefined;
}

const loginReportSchema = z.strictObject({
  url: z.string(),
  principal: z.string(),
  grants: z.array(grantSchema),
  expires_at: instantSchema,
});
const logoutReportSchema = z.strictObject({ url: z.string() });

/** A variable, so that a client's secret stands in no shell's history. */
const SECRET = "MODEL_DEPLOYER_CLIENT_SECRET";

export function addLogin(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("login")
    .description("sign in at the provider of the API that MODEL_DEPLOYER_URL names, by a browser")
    .option("--device", "without a browser here: a code is entered on another machine")
    .option("--client <id>", `as a machine, whose secret is in ${SECRET}`)
    .action((options) => execute("login", (invocation) => login(invocation, options)));
  program
    .command("logout")
    .description("end the session that `login` opened")
    .action(() => execute("logout", logout));
}

function addressOf({ environment }: Invocation): string {
  const url = environment["MODEL_DEPLOYER_URL"];
  if (url !== undefined && url !== "") return url;
  throw new ConfigurationError("MODEL_DEPLOYER_URL names the API to sign in at, and it is not set.");
}

async function login(invocation: Invocation, options: LoginOptions): Promise<Report> {
  const { signal, environment } = invocation;
  const url = addressOf(invocation);
  const api = new RemoteApi({ url, token: "nobody-yet", signal });
  const provider = await api.ask(providerSchema, "/v1/oidc");
  const body = await tokensOf(invocation, provider, options);
  const opened = await api.ask(openedSessionSchema, "/v1/sessions", { body });
  const { principal, grants, expires_at } = opened;
  await keepSession({ url, token: opened.token, expires_at }, environment);
  return report(loginReportSchema, { url, principal, grants, expires_at }, (data, paint) => [
    `${paint.green("signed in")} as ${data.principal} at ${data.url}, until ${data.expires_at}`,
    `  ${data.grants.map(({ role, experiment_id }) => `${role} of ${experiment_id ?? "all experiments"}`).join(", ")}`,
    paint.dim("next: model-deployer status"),
  ]);
}

/** The tokens that open a session. */
async function tokensOf(
  invocation: Invocation,
  provider: ProviderDescription,
  { device, client }: LoginOptions,
): Promise<z.infer<typeof signInRequestSchema>> {
  const { asClient, byBrowser, byDevice } = await import("../../../identity/terminal_sign_in.ts");
  const { signal, terminal, environment } = invocation;
  if (client !== undefined) {
    const secret = environment[SECRET];
    if (device !== true && secret !== undefined && secret !== "")
      return { token: await asClient(provider, { clientId: client, secret }) };
    throw new InvalidRequestError(`--client ${client} takes its secret from ${SECRET}, and no --device.`);
  }
  const { id_token: token, refresh_token } =
    device === true
      ? await byDevice(
          provider,
          ({ url, code }) => terminal.err((paint) => [`open ${url} and enter ${paint.bold(code)}`]),
          { signal },
        )
      : await byBrowser(provider, (url) => terminal.err(() => ["open this address in your browser:", url]), {
          signal,
        });
  return { token, ...(refresh_token !== null && { refresh_token }) };
}

async function logout(invocation: Invocation): Promise<Report> {
  const { signal, environment } = invocation;
  const url = addressOf(invocation);
  const token = await keptSession(url, environment);
  await forgetSession(url, environment);
  if (token !== null) await new RemoteApi({ url, token, signal }).tell("/v1/session", { method: "DELETE" });
  return report(logoutReportSchema, { url }, (data) => [`signed out of ${data.url}`]);
}
