import { randomBytes } from "node:crypto";
import type { z } from "zod";
import type { Grant, Origin } from "../../agents/model_deployer/domain/access/roles.ts";
import { NotFoundError } from "../../agents/model_deployer/errors.ts";
import type {
  IdentityProvider,
  SignedIn,
  VerifiedIdentity,
} from "../../agents/model_deployer/ports/identity_provider.ts";
import type { SecretKeeper } from "../../agents/model_deployer/ports/notification_ports.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import { sealedRenewal } from "./kept_renewal.ts";
import type { openedSessionSchema } from "./sign_in_schemas.ts";

/** Sign-ins at a provider: who somebody is there, and what that gives here. */
export interface SignIns {
  provider: IdentityProvider;
  /** The role of whoever is in the group. */
  roles: readonly (Grant & { group: string })[];
  sessionHours: number;
  /** After so many minutes a session's groups are asked for anew, where the provider lets; 0: never. */
  checkMinutes: number;
}

const HOUR_MS = 3_600_000;

/** The roles that groups of the provider give. */
export const rolesOf = ({ roles }: Pick<SignIns, "roles">, { groups }: VerifiedIdentity): Grant[] =>
  roles
    .filter(({ group }) => groups.includes(group))
    .map(({ role, experiment_id }) => ({ role, experiment_id }));

interface Desk {
  database: Pick<DeployerDatabase, "signIns" | "access" | "clock">;
  secrets: SecretKeeper;
}

/** Opens a session for a verified identity. @throws as `PostgresSignIns.open` */
export async function openSession(
  { database, secrets }: Desk,
  signIns: SignIns,
  { identity, renewal: given }: SignedIn,
  origin: Origin,
): Promise<z.infer<typeof openedSessionSchema>> {
  const { sessionHours, checkMinutes } = signIns;
  const grants = rolesOf(signIns, identity);
  const renewal = given === null || checkMinutes === 0 ? null : await sealedRenewal(secrets, identity, given);
  const token = randomBytes(24).toString("base64url");
  const now = Date.parse(await database.clock.now());
  const expires_at = new Date(now + sessionHours * HOUR_MS).toISOString();
  const { principal } = await database.signIns.open({ identity, grants, token, expires_at, renewal, origin });
  return { principal, grants: await database.access.grantsOf(principal), token, expires_at };
}

/** @throws NotFoundError where no provider is set */
export function requireProvider(signIns: SignIns | null): SignIns {
  if (signIns !== null) return signIns;
  throw new NotFoundError(
    "Nobody signs in by a provider here: MODEL_DEPLOYER_OIDC_ISSUER names one, and tokens are made by `principals enrol`.",
  );
}
