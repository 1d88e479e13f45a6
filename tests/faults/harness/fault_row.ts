import type { TestServices } from "../../support/services/test_services.ts";

/**
 * A row of the fault suite: one fault, tried in many cases. Each case ends with the invariants; a case converged when
 * what was asked for is done or undone and every invariant holds.
 */
export interface FaultRow {
  /** Names the row on the command line and in the table: lower case, words joined by `-`. */
  name: string;
  /** One sentence: what is done to the system, and what must come of it. */
  fault: string;
  run(options: RowOptions): Promise<RowResult>;
}

export interface RowOptions {
  /** `selection` takes part in `npm run test:all` and stays within about a minute; `whole` is the full row. */
  extent: "selection" | "whole";
  /** Everything that the row draws at random comes from it. */
  seed: number;
  /** Runs one example of a property again, as the sentence about a violation names it. */
  path?: string;
  services: TestServices;
  /** One line for a person, of what takes long. */
  onProgress: (line: string) => void;
}

export interface RowResult {
  cases: number;
  /** Of `cases`; anything below is a failure of the suite. */
  converged: number;
  /** Requests of callers that got no answer. */
  lost: number;
  /** One sentence for each invariant that did not hold, with the case it was seen in and how to run that again. */
  violations: string[];
  /** Of a row that kills processes: moments before and after an I/O that it found, and those that it killed at. */
  crash_points?: { found: number; killed: number };
  /** Why the row could not be run on this machine; it has no cases then. */
  skipped?: string;
  /** Figures that a reader may want beside the table, such as the number of crash points found. */
  notes: string[];
}
