import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { type Role, roleSchema, ROLES } from "../../../agents/model_deployer/domain/access/roles.ts";
import { InvalidRequestError } from "../../../agents/model_deployer/errors.ts";
import type { Execute } from "../../invocation/execute.ts";
import { nameLines, tokenLines } from "../../output/views/principal_view.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import {
  principalReportSchema,
  principalsReportSchema,
  removalReportSchema,
} from "../../../service/people/principal_schemas.ts";
import type { PrincipalBackend } from "../../remote/backends.ts";
import { withPrincipalBackend } from "./principal_backend.ts";
import { plainNumber } from "../../number_options.ts";

const EXPERIMENT = ["--experiment <id>", "for this experiment alone; for all without it"] as const;
const EXPIRES = ["--expires <days>", "until when the token holds; without it, until it is revoked"] as const;

interface LoginOptions {
  osUser?: string | undefined;
  issuer?: string | undefined;
  subject?: string | undefined;
}

/** Runs what is asked for at the backend: the database's, or the API's where one is named. */
type Ask = (command: string, work: (backend: PrincipalBackend) => Promise<Report>) => Promise<void>;

export function addPrincipals(program: CommandUnknownOpts, execute: Execute): void {
  const principals = program.command("principals").description("who may do what");
  const ask: Ask = (command, work) =>
    execute(`principals ${command}`, (invocation: Invocation) => withPrincipalBackend(invocation, work));
  addTokens(principals, ask);
  addRoles(principals, ask);
  addLogins(principals, ask);
  principals
    .command("list [principal]")
    .description("roles, logins, and tokens with their last use")
    .action((principal) => ask("list", async (backend) => listed(await backend.list(principal ?? null))));
  principals
    .command("remove <principal>")
    .description("end all that they have: tokens, roles, and approvals that are not used yet")
    .requiredOption("--reason <text>", "why; kept with it")
    .action((principal, { reason }) =>
      ask("remove", async (backend) =>
        report(removalReportSchema, await backend.remove(principal, { reason }), (data, paint) => [
          `${paint.yellow("removed")} ${data.principal}; ${data.approvals_ended} of their approvals count no more`,
        ]),
      ),
    );
}

function addTokens(principals: CommandUnknownOpts, ask: Ask): void {
  principals
    .command("enrol <principal>")
    .description(
      "make a token for a principal and show it once; one that is enrolled again has the new token only",
    )
    .option("--role <role...>", `${ROLES.join(", ")}; operator and approver without it`)
    .option(...EXPERIMENT)
    .option("--machine", "a program, not a person")
    .option(...EXPIRES, plainNumber)
    .action((principal, { role, experiment, machine, expires }) =>
      ask("enrol", async (backend) => {
        const asked = {
          principal,
          ...(role && { roles: role.map(roleOf) }),
          experiment_id: experiment ?? null,
          ...(machine === true && { kind: "machine" as const }),
          expires_in_days: daysOf(expires),
        };
        return report(principalReportSchema, await backend.enrol(asked), tokenLines);
      }),
    );
  principals
    .command("token <principal>")
    .description("make one more token beside those that they have, and show it once")
    .requiredOption("--label <text>", "what it is for")
    .option(...EXPIRES, plainNumber)
    .action((principal, { label, expires }) =>
      ask("token", async (backend) =>
        report(
          principalReportSchema,
          await backend.token(principal, { label, expires_in_days: daysOf(expires) }),
          tokenLines,
        ),
      ),
    );
}

function addRoles(principals: CommandUnknownOpts, ask: Ask): void {
  principals
    .command("grant <principal> <role>")
    .description(`give a role: ${ROLES.join(", ")}`)
    .option(...EXPERIMENT)
    .action((principal, role, { experiment }) =>
      ask("grant", async (backend) => {
        const given = { role: roleOf(role), experiment_id: experiment ?? null };
        return listed(await backend.grant(principal, given));
      }),
    );
  principals
    .command("revoke <principal> [role]")
    .description("take a role back, or with --token one of their tokens")
    .option(...EXPERIMENT)
    .option("--token <id>", "as principals list shows it")
    .action((principal, role, { experiment, token }) =>
      ask("revoke", async (backend) => {
        if ((role === undefined) === (token === undefined))
          throw new InvalidRequestError("Name either a role or --token <id> to revoke.");
        if (token !== undefined) return listed(await backend.revokeToken(token, principal));
        const taken = { role: roleOf(role ?? ""), experiment_id: experiment ?? null };
        return listed(await backend.revoke(principal, taken));
      }),
    );
}

function addLogins(principals: CommandUnknownOpts, ask: Ask): void {
  principals
    .command("link <principal>")
    .description("say that a login is theirs: they cannot approve what is asked for from it")
    .option("--os-user <user>", "of the operating system, as ana or ana@host")
    .option("--issuer <address>", "of an identity provider")
    .option("--subject <id>", "of that issuer")
    .action((principal, options) =>
      ask("link", async (backend) => listed(await backend.link(principal, loginOf(options)))),
    );
  principals
    .command("unlink")
    .description("take a login from whose it is")
    .option("--os-user <user>", "of the operating system, as ana or ana@host")
    .option("--issuer <address>", "of an identity provider")
    .option("--subject <id>", "of that issuer")
    .action((options) => ask("unlink", async (backend) => listed(await backend.unlink(loginOf(options)))));
}

function listed(data: Awaited<ReturnType<PrincipalBackend["list"]>>): Report {
  return report(principalsReportSchema, data, nameLines);
}

function roleOf(given: string): Role {
  const role = roleSchema.safeParse(given);
  if (role.success) return role.data;
  throw new InvalidRequestError(`${JSON.stringify(given)} is no role; name one of ${ROLES.join(", ")}.`);
}

function daysOf(days: number | undefined): number | null {
  if (days === undefined) return null;
  if (days > 0 && days <= 3660) return days;
  throw new InvalidRequestError(`--expires ${days}: a number of days, above 0 and at most 3660.`);
}

function loginOf({ osUser, issuer, subject }: LoginOptions): { provider: string; subject: string } {
  if (osUser !== undefined && issuer === undefined && subject === undefined)
    return { provider: "os", subject: osUser };
  if (osUser === undefined && issuer !== undefined && subject !== undefined)
    return { provider: issuer, subject };
  throw new InvalidRequestError("Name a login by --os-user, or by --issuer and --subject.");
}
