export interface Tally {
  sequences: number;
  /** The commands of the sequence that is under way. */
  under_way: string;
  requests: number;
  states: Set<string>;
  /** By code. */
  refusals: Map<string, number>;
  checked_hints: number;
  longest_way: number;
  dead_ends: string[];
  circles: string[];
  /** `retryable` that did not hold what it promises. */
  broken_promises: string[];
  /** What was checked before, for a state and a request that look alike. */
  known: Set<string>;
  /** How many requests a run's files are from production, by the run and a state from which they came there. */
  ways: Map<string, number>;
}

export const newTally = (): Tally => ({
  sequences: 0,
  under_way: "",
  requests: 0,
  states: new Set(),
  refusals: new Map(),
  checked_hints: 0,
  longest_way: 0,
  dead_ends: [],
  circles: [],
  broken_promises: [],
  known: new Set(),
  ways: new Map(),
});

/** With the commands that led there. */
export const found = ({ under_way }: Tally, what: string): string => `${what} [after ${under_way}]`;
