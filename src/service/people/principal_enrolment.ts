import { randomBytes } from "node:crypto";
import type { z } from "zod";
import type { Actor } from "../../agents/model_deployer/domain/access/roles.ts";
import { NotFoundError } from "../../agents/model_deployer/errors.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import type {
  EnrolmentRequest,
  newTokenSchema,
  principalReportSchema,
  PrincipalsReport,
} from "./principal_schemas.ts";

type PrincipalStores = Pick<DeployerDatabase, "principals" | "principalAdministration" | "clock">;
type NewToken = z.infer<typeof principalReportSchema>;

const DAY_MS = 86_400_000;

/** Makes a token for a principal; see `Principals.enrol`. */
export async function enrolPrincipal(
  database: PrincipalStores,
  { principal: name, roles, experiment_id, kind, expires_in_days }: EnrolmentRequest,
  by: Actor,
): Promise<NewToken> {
  const token = randomToken();
  const expires_at = await expiry(database, expires_in_days);
  const { principal } = await database.principals.enrol(name, token, {
    ...(roles && { roles }),
    ...(kind && { kind }),
    ...{ experiment_id, expires_at, by },
  });
  return { principal, token, expires_at };
}

/** Makes one more token beside those that the principal has. @throws NotFoundError */
export async function addPrincipalToken(
  database: PrincipalStores,
  name: string,
  { label, expires_in_days }: z.infer<typeof newTokenSchema>,
  by: Actor,
): Promise<NewToken> {
  const [found] = (await principalsReport(database, name)).principals;
  if (found?.removed_at !== null) {
    throw new NotFoundError(`${name} is no principal; principals list shows who is, and enrol makes one.`);
  }
  const token = randomToken();
  const expires_at = await expiry(database, expires_in_days);
  const { principal } = found;
  await database.principals.enrol(principal, token, { roles: [], beside: true, label, expires_at, by });
  return { principal, token, expires_at };
}

/** All, or the one of that name. @throws NotFoundError */
export async function principalsReport(
  { principalAdministration }: Pick<PrincipalStores, "principalAdministration">,
  name: string | null,
): Promise<PrincipalsReport> {
  const principals = await principalAdministration.list(name);
  if (name === null || principals.length > 0) return { principals };
  throw new NotFoundError(`${name} is no principal; principals list shows who is.`);
}

const randomToken = (): string => randomBytes(24).toString("base64url");

async function expiry(
  { clock }: Pick<PrincipalStores, "clock">,
  days: number | null,
): Promise<string | null> {
  return days === null ? null : new Date(Date.parse(await clock.now()) + days * DAY_MS).toISOString();
}
