import { z } from "zod";
import { type Role, roleSchema } from "../../agents/model_deployer/domain/access/roles.ts";
import { addressSetting as address } from "./address_setting.ts";

const MAPPED = /^(.+)=([a-z]+)(?::([A-Za-z0-9_.-]+))?$/;

/** A group of the provider, and the role that whoever is in it has. An alias, for declarations cannot name what is not exported. */
type GroupRole = Readonly<{
  group: string;
  role: Role;
  /** For this experiment; for all where null. */
  experiment_id: string | null;
}>;

/** `ml-ops=operator, reviewers=approver:remission`, each entry or none of them. */
const rolesSetting = z.string().transform((text, context): GroupRole[] =>
  text
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "")
    .map((entry) => {
      const [, group = "", name = "", experiment] = MAPPED.exec(entry) ?? [];
      const role = roleSchema.safeParse(name);
      if (role.success) return { group: group.trim(), role: role.data, experiment_id: experiment ?? null };
      const message = `"${entry.slice(0, 60)}" is no group=role or group=role:experiment, with a role of ${roleSchema.options.join(", ")}`;
      context.addIssue({ code: "custom", message });
      return z.NEVER;
    }),
);

/** How people and machines sign in at a provider, as the environment says it. */
export const oidcVariables = {
  MODEL_DEPLOYER_OIDC_ISSUER: address(["http:", "https:"]).optional(),
  MODEL_DEPLOYER_OIDC_CLIENT_ID: z.string().optional(),
  MODEL_DEPLOYER_OIDC_CLIENT_SECRET: z.string().optional(),
  MODEL_DEPLOYER_OIDC_TERMINAL_CLIENT_ID: z.string().optional(),
  MODEL_DEPLOYER_OIDC_AUDIENCE: z.string().optional(),
  MODEL_DEPLOYER_OIDC_SCOPE: z.string().default("openid profile"),
  MODEL_DEPLOYER_OIDC_NAME: z.string().default("preferred_username"),
  MODEL_DEPLOYER_OIDC_GROUPS: z.string().default("groups"),
  MODEL_DEPLOYER_OIDC_ROLES: rolesSetting.default([]),
  MODEL_DEPLOYER_SESSION_HOURS: z.coerce.number().min(0.1).max(720).default(12),
  MODEL_DEPLOYER_SESSION_CHECK_MINUTES: z.coerce.number().min(0).max(1440).default(15),
};

export interface OidcSettings {
  issuer: string;
  clientId: string;
  /** Its value, or where it is kept: `env:NAME`, `file:/path`. Null for a public client. */
  clientSecret: string | null;
  terminalClientId: string;
  audience: string;
  scope: string;
  nameClaim: string;
  groupsClaim: string;
  roles: readonly GroupRole[];
  sessionHours: number;
  /** After so many minutes a session's groups are asked for anew, where the provider lets; 0: never. */
  checkMinutes: number;
}

type Values = z.infer<z.ZodObject<typeof oidcVariables>>;

/** The problem of the variables together; null where there is none. */
export function oidcProblem(values: Values): { name: string; message: string } | null {
  const { MODEL_DEPLOYER_OIDC_ISSUER: issuer, MODEL_DEPLOYER_OIDC_CLIENT_ID: clientId } = values;
  if ((issuer === undefined) === (clientId === undefined)) return null;
  const name = issuer === undefined ? "MODEL_DEPLOYER_OIDC_ISSUER" : "MODEL_DEPLOYER_OIDC_CLIENT_ID";
  return { name, message: "an issuer and its client id are set together" };
}

/** Null where no provider is set. */
export function oidcOf(values: Values): OidcSettings | null {
  const { MODEL_DEPLOYER_OIDC_ISSUER: issuer, MODEL_DEPLOYER_OIDC_CLIENT_ID: clientId } = values;
  if (issuer === undefined || clientId === undefined) return null;
  return {
    issuer,
    clientId,
    clientSecret: values.MODEL_DEPLOYER_OIDC_CLIENT_SECRET ?? null,
    terminalClientId: values.MODEL_DEPLOYER_OIDC_TERMINAL_CLIENT_ID ?? clientId,
    audience: values.MODEL_DEPLOYER_OIDC_AUDIENCE ?? clientId,
    scope: values.MODEL_DEPLOYER_OIDC_SCOPE,
    nameClaim: values.MODEL_DEPLOYER_OIDC_NAME,
    groupsClaim: values.MODEL_DEPLOYER_OIDC_GROUPS,
    roles: values.MODEL_DEPLOYER_OIDC_ROLES,
    sessionHours: values.MODEL_DEPLOYER_SESSION_HOURS,
    checkMinutes: values.MODEL_DEPLOYER_SESSION_CHECK_MINUTES,
  };
}
