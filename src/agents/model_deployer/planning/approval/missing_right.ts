import { ALL, type Extent, type Right, rolesWith } from "../../domain/access/roles.ts";
import type { NextStep } from "../../../base/next_step.ts";
import { shellWord } from "../../domain/values/shell_word.ts";

interface MissingRight {
  message: string;
  options: { details: Record<string, unknown>; next: NextStep[] };
}

/** The refusal of a right as an error has it, with the roles that include the right and who can grant one. */
export function missingRight({
  who,
  right,
  extent,
}: {
  who: string;
  right: Right;
  extent: Extent;
}): MissingRight {
  const roles = rolesWith(right);
  const where = extent === ALL ? "all experiments" : (extent ?? "what belongs to no experiment");
  const experiment = extent === null || extent === ALL ? "" : ` --experiment ${extent}`;
  const grant: NextStep = {
    action: "grant_role",
    request: null,
    command: `model-deployer principals grant ${shellWord(who)} ${roles[0]}${experiment}`,
    who: "person",
    why: `lets ${who} ${right} there; for an administrator`,
  };
  return {
    message: `${who} may not ${right} for ${where}: that takes the role ${roles.join(" or ")} there, which an administrator grants.`,
    options: { details: { principal: who, right, experiment_id: extent, roles }, next: [grant] },
  };
}
