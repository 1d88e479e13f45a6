import type { z } from "zod";
import type { principalReportSchema, PrincipalsReport } from "../../../service/people/principal_schemas.ts";
import { table } from "../terminal/table.ts";
import type { Paint } from "../terminal/terminal.ts";

export function tokenLines(
  { principal, token, expires_at }: z.output<typeof principalReportSchema>,
  paint: Paint,
): string[] {
  const until = expires_at === null ? "" : `, until ${minute(expires_at)}`;
  return [`${principal} is enrolled${until}; the token is shown this once:`, paint.bold(token)];
}

/** Each principal with roles, logins and tokens. */
export function nameLines({ principals }: PrincipalsReport, paint: Paint): string[] {
  if (principals.length === 0) return ["nobody is enrolled; principals enrol makes a token"];
  return principals.flatMap((one) => [
    `${paint.bold(one.principal)}  ${headOf(one)}`,
    ...(one.spellings.length === 0 ? [] : [paint.dim(`  also enrolled as ${one.spellings.join(", ")}`)]),
    ...one.logins.map(({ provider, subject }) =>
      paint.dim(
        provider === "os" ? `  user ${subject} of the operating system` : `  ${subject} of ${provider}`,
      ),
    ),
    ...tokenTable(one.tokens, paint).map((line) => `  ${line}`),
  ]);
}

type Principal = PrincipalsReport["principals"][number];

function headOf({ kind, grants, removed_at, removed_by, remove_reason }: Principal): string {
  if (removed_at !== null)
    return `removed ${minute(removed_at)} by ${removed_by ?? ""}: ${remove_reason ?? ""}`;
  const roles = grants.map(({ role, experiment_id }) =>
    experiment_id === null ? role : `${role} of ${experiment_id}`,
  );
  return `${kind === "machine" ? "a machine, " : ""}${roles.length === 0 ? "no role" : roles.join(", ")}`;
}

function tokenTable(tokens: Principal["tokens"], paint: Paint): string[] {
  if (tokens.length === 0) return [];
  const rows = tokens.map((one) => [
    one.token_id,
    one.label,
    one.is_in_force ? "in force" : one.revoked_at === null ? "over" : `revoked ${minute(one.revoked_at)}`,
    one.expires_at === null ? "never" : minute(one.expires_at),
    one.last_used_at === null ? "never" : minute(one.last_used_at),
  ]);
  return table(["token", "for", "state", "expires", "last used"], rows, paint);
}

const minute = (instant: string): string => `${instant.slice(0, 16).replace("T", " ")}Z`;
