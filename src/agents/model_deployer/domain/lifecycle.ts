import type { Stage } from "./entities.ts";
import type { Refusal } from "./plan.ts";

/** Every promotion that exists. A rollback is no promotion: it restores and archives in one move of its own. */
export const ALLOWED_PROMOTIONS: Readonly<Record<Stage, readonly Stage[]>> = {
  development: ["staging"],
  staging: ["shadow"],
  shadow: ["production"],
  production: ["archived"],
  archived: [],
};

/** Null when the lifecycle has the move. */
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
