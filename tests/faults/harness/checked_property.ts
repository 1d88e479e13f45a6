import fc from "fast-check";
import { AgentError } from "../../../src/agents/base/agent_error.ts";
import type { RowOptions, RowResult } from "./fault_row.ts";

/** Says what does not hold, for whoever reads the table. */
export class DoesNotHoldError extends AgentError {
  readonly code = "does_not_hold";
  readonly retryable = false;
}

export function hold(condition: boolean, otherwise: () => string): asserts condition {
  if (!condition) throw new DoesNotHoldError(otherwise());
}

export interface CheckedProperty<T> {
  /** As in the row's command. */
  row: string;
  arbitrary: fc.Arbitrary<T>;
  runs: number;
  /** Raises where the property does not hold. */
  predicate: (value: T) => Promise<void>;
  /** How a value reads in a sentence. */
  shown: (value: T) => string;
}

/** Checks a property for a row; what breaks it is shrunk, and the sentence about it says how to run just that again. */
export async function checkProperty<T>(
  { row, arbitrary, runs, predicate, shown }: CheckedProperty<T>,
  { seed, path, extent }: Pick<RowOptions, "seed" | "path" | "extent">,
): Promise<Pick<RowResult, "cases" | "converged" | "violations">> {
  const details = await fc.check(fc.asyncProperty(arbitrary, predicate), {
    seed,
    numRuns: runs,
    ...(path === undefined ? {} : { path: path.split("@")[0] ?? "" }),
  });
  if (!details.failed) return { cases: details.numRuns, converged: details.numRuns, violations: [] };
  const [value] = details.counterexample ?? [];
  const replay = value === undefined ? null : /replayPath="([^"]*)"/.exec(String(value));
  const found = `${details.counterexamplePath ?? ""}${replay === null ? "" : `@${replay[1]}`}`;
  const again = `npm run test:faults -- --row=${row} --seed=${seed} --extent=${extent} --path=${found}`;
  const what = value === undefined ? "no value was found" : shown(value);
  const why =
    details.errorInstance instanceof Error ? details.errorInstance.message : String(details.errorInstance);
  return {
    cases: Math.max(1, details.numRuns),
    converged: Math.max(0, details.numRuns - 1),
    violations: [`${what}: ${why} (again: ${again})`],
  };
}
