import type { Drift } from "./decide.ts";

/** One difference, and whether it was repaired. */
export interface Finding extends Omit<Drift, "left"> {
  /** `repaired` only where a second look confirmed it. */
  outcome: "repaired" | "left";
  /** Why it was left; null when it was repaired. */
  why: string | null;
}

export interface ReconciliationReport {
  checked: { endpoints: number; servers: number; versions: number };
  findings: Finding[];
  /** Endpoints that were passed over because somebody is at work on them, and who. */
  in_use: string[];
  /** A sentence for each part that could not be asked. */
  unchecked: string[];
}

export function emptyReconciliation(): ReconciliationReport {
  return { checked: { endpoints: 0, servers: 0, versions: 0 }, findings: [], in_use: [], unchecked: [] };
}

/** @param why null when it was repaired */
export function findingOf({ left: _left, ...drift }: Drift, why: string | null): Finding {
  return { ...drift, outcome: why === null ? "repaired" : "left", why };
}
