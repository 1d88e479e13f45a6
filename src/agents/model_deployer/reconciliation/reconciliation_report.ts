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
  /** Seconds until a server that callers wait for is tried again; null where none has failed to start. */
  retry_seconds: number | null;
}

export function emptyReconciliation(): ReconciliationReport {
  const checked = { endpoints: 0, servers: 0, versions: 0 };
  return { checked, findings: [], in_use: [], unchecked: [], retry_seconds: null };
}

/** @param why null when it was repaired */
export function findingOf({ left: _left, ...drift }: Drift, why: string | null): Finding {
  return { ...drift, outcome: why === null ? "repaired" : "left", why };
}
