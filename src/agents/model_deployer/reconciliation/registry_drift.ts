import type { ShownVersion } from "../domain/lifecycle.ts";
import type { Drift } from "./decide.ts";

/** Null where the registry shows what the database wants. Pure. */
export function decideVersion(modelVersionId: string, { wanted, seen }: Compared): Drift | null {
  const [found, expected] = [shownText(seen), shownText(wanted)];
  if (found === expected) return null;
  return { part: "registry", subject: modelVersionId, found, wanted: expected, left: null };
}

interface Compared {
  wanted: ShownVersion;
  seen: ShownVersion;
}

function shownText({ stage, aliases }: ShownVersion): string {
  const named = aliases.length === 0 ? "no alias" : `alias ${[...aliases].sort().join(", ")}`;
  return `stage ${stage ?? "not shown"}, ${named}`;
}
