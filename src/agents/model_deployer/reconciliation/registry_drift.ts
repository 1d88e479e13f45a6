import type { Drift } from "./decide.ts";

/** A version's stage and aliases, as a registry shows or should show them. */
export interface Shown {
  stage: string | null;
  aliases: string[];
}

/** Only the deployer's own aliases are compared. Pure. */
export function decideVersion(
  modelVersionId: string,
  wanted: Shown,
  seen: Shown,
  own: readonly string[],
): Drift | null {
  const ofOurs = { ...seen, aliases: seen.aliases.filter((alias) => own.includes(alias)) };
  const [found, expected] = [shownText(ofOurs), shownText(wanted)];
  if (found === expected) return null;
  return { part: "registry", subject: modelVersionId, found, wanted: expected, left: null };
}

function shownText({ stage, aliases }: Shown): string {
  const named = aliases.length === 0 ? "no alias" : `alias ${[...aliases].sort().join(", ")}`;
  return `stage ${stage ?? "not shown"}, ${named}`;
}
