import type { Stage } from "./entities.ts";
import type { Refusal } from "./plan.ts";

/**
 * Every promotion that exists, by stage. A rollback is no promotion: it restores one version and archives the other in
 * one move.
 */
export const ALLOWED_PROMOTIONS: Readonly<Record<Stage, readonly Stage[]>> = {
  development: ["staging"],
  staging: ["shadow"],
  shadow: ["production"],
  production: ["archived"],
  archived: [],
};

/** Null when the lifecycle allows the move. */
export function refusePromotionPath(versionId: string, from: Stage, to: Stage): Refusal | null {
  const allowed = ALLOWED_PROMOTIONS[from];
  if (allowed.includes(to)) return null;
  const wayOut =
    allowed.length === 0
      ? `${from} is the end; register the run as a new version instead`
      : `from ${from} the next stage is ${allowed.join(" or ")}`;
  return {
    code: "invalid_promotion_path",
    sentence: `Cannot promote ${versionId} from ${from} to ${to}: ${wayOut}.`,
    passes: false,
    next: [],
    not_before: null,
    unmet: [
      {
        criterion: "promotion_path",
        required: allowed.join(" or ") || "none",
        observed: to,
        sentence: wayOut,
      },
    ],
  };
}

/** A version's stage and aliases, as a registry shows or should show them. */
export interface VersionProjection {
  stage: string | null;
  aliases: string[];
}
