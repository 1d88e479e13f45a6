import type { VersionProjection } from "../domain/lifecycle.ts";
import type { Drift } from "./decide.ts";

/** Null where the registry shows what the database wants. Pure. */
export function decideVersion(modelVersionId: string, { wanted, seen }: Compared): Drift | null {
  const [found, expected] = [shownText(seen), shownText(wanted)];
  if (found === expected) return null;
  return { part: "registry", subject: modelVersionId, found, wanted: expected, left: null };
}

interface Compared {
  wanted: VersionProjection;
  seen: VersionProjection;
}

function shownText({ stage, aliases }: VersionProjection): string {
  const named = aliases.length === 0 ? "no alias" : `alias ${[...aliases].sort().join(", ")}`;
  return `stage ${stage ?? "not shown"}, ${named}`;
}
