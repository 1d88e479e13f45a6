import { z } from "zod";
import { instantSchema } from "../entities.ts";

export const ROLES = ["viewer", "operator", "approver", "administrator"] as const;
export const roleSchema = z.enum(ROLES);
export type Role = z.infer<typeof roleSchema>;

/**
 * `look`: see what there is, plans included. `act`: ask for actions, carry operations on, tell outcomes, send rows.
 * `approve`: approve and decline what others asked for. `configure`: experiments, criteria and policies. `administer`:
 * principals, roles, tokens and the audit trail.
 */
export const RIGHTS = ["look", "act", "approve", "configure", "administer"] as const;
export type Right = (typeof RIGHTS)[number];

/** Who can do what. A right that is not here is nobody's. */
export const RIGHTS_OF: Readonly<Record<Role, readonly Right[]>> = {
  viewer: ["look"],
  operator: ["look", "act"],
  approver: ["look", "approve"],
  administrator: ["look", "act", "approve", "configure", "administer"],
};

/** A role for one experiment, or for all where that is null. */
export const grantSchema = z.strictObject({ role: roleSchema, experiment_id: z.string().nullable() });
export type Grant = z.infer<typeof grantSchema>;

/** The roles of whoever is enrolled without any named: they may ask and approve. */
export const USUAL_ROLES: readonly Role[] = ["operator", "approver"];

/** All experiments together; no experiment has this name. */
export const ALL = "*";
/** The extent of a right: an experiment, `ALL`, or null for what belongs to none that is known. */
export type Extent = string | null;

/** Whether one of the grants gives the right there. A grant for one experiment says nothing of all, or of none. */
export function hasRight(grants: readonly Grant[], right: Right, extent: Extent): boolean {
  return grants.some(
    ({ role, experiment_id }) =>
      RIGHTS_OF[role].includes(right) && (experiment_id === null || experiment_id === extent),
  );
}

/** The experiments for which the grants give the right; null for all of them. */
export function experimentsWith(grants: readonly Grant[], right: Right): ReadonlySet<string> | null {
  const giving = grants.filter(({ role }) => RIGHTS_OF[role].includes(right));
  const named = giving.flatMap(({ experiment_id }) => (experiment_id === null ? [] : [experiment_id]));
  return named.length < giving.length ? null : new Set(named);
}

/** The roles that include the right, as a sentence names them. */
export function rolesWith(right: Right): Role[] {
  return ROLES.filter((role) => RIGHTS_OF[role].includes(right));
}

/** Where a request or a change comes from. */
export const originSchema = z.strictObject({
  /** `token`: whoever asks has shown a token. `session`: they have the rights of their login to the database. */
  as: z.enum(["token", "session"]),
  via: z.enum(["command_line", "api", "library", "worker"]),
  /** The operating system's user and machine; null where the request came from elsewhere. */
  user: z.string().nullable(),
  host: z.string().nullable(),
  /** The caller's address; null for one of this machine's processes. */
  address: z.string().nullable(),
});
export type Origin = z.infer<typeof originSchema>;

/** Who changes something, and from where. */
export interface Actor {
  who: string;
  origin: Origin | null;
}

export const tokenViewSchema = z.strictObject({
  token_id: z.string(),
  kind: z.enum(["token", "session"]),
  label: z.string(),
  created_at: instantSchema,
  expires_at: instantSchema.nullable(),
  /** To the minute; null for one that was never used. */
  last_used_at: instantSchema.nullable(),
  revoked_at: instantSchema.nullable(),
  is_in_force: z.boolean(),
});

/** A principal as an administrator sees it; no token and no hash of one. */
export const principalViewSchema = z.strictObject({
  principal: z.string(),
  kind: z.enum(["person", "machine"]),
  enrolled_at: instantSchema,
  enrolled_by: z.string().nullable(),
  removed_at: instantSchema.nullable(),
  removed_by: z.string().nullable(),
  remove_reason: z.string().nullable(),
  grants: z.array(grantSchema),
  logins: z.array(z.strictObject({ provider: z.string(), subject: z.string() })),
  /** Other spellings that were enrolled and are this one. */
  spellings: z.array(z.string()),
  tokens: z.array(tokenViewSchema),
});
export type PrincipalView = z.infer<typeof principalViewSchema>;
