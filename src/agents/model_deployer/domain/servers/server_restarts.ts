import type { ChangeOf } from "../changes.ts";

/** How often in a row a server could not be started again, and when it is tried next. */
export interface Restarts {
  failures: number;
  last_error: string | null;
  /** By the database's clock. */
  next_try_at: string;
  is_due: boolean;
}

const WAITS = { first: 30, longest: 900 };
/** Shorter, since callers wait for a server on the route, and what kept it from starting may be over any moment. */
const WAITS_ON_ROUTE = { first: 2, longest: 30 };

/** Seconds until the next try: twice as long after each failure in a row, up to a quarter of an hour or, on the route, 30 s. */
export function waitAfter(failures: number, isOnRoute: boolean): number {
  const { first, longest } = isOnRoute ? WAITS_ON_ROUTE : WAITS;
  return Math.min(longest, first * 2 ** (failures - 1));
}

export function failedAgain(
  deploymentId: string,
  before: Restarts | null,
  { reason, isOnRoute }: { reason: string; isOnRoute: boolean },
): ChangeOf<"note_restart"> {
  const failures = (before?.failures ?? 0) + 1;
  return {
    change: "note_restart",
    deployment_id: deploymentId,
    failures,
    wait_seconds: waitAfter(failures, isOnRoute),
    last_error: reason,
  };
}

export function answersAgain(deploymentId: string): ChangeOf<"note_restart"> {
  const none = { failures: 0, wait_seconds: null, last_error: null };
  return { change: "note_restart", deployment_id: deploymentId, ...none };
}

/** Why the next attempt is not yet due; null when it is. */
export function waitsFor(restarts: Restarts | null): string | null {
  if (restarts === null || restarts.is_due) return null;
  return `${failedStarts(restarts)}; next try at ${restarts.next_try_at}`;
}

/** How often it could not be started, and why, as a sentence without its end. */
export function failedStarts({ failures, last_error }: Restarts): string {
  const times = failures === 1 ? "once" : `${failures} times in a row`;
  return `it could not be started ${times} (${last_error ?? "no reason is known"})`;
}

/** Failed attempts after which nothing waits for the server any longer, though it is still tried. */
const TRIES = 4;

export const isGivenUp = (restarts: Restarts | null): restarts is Restarts =>
  restarts !== null && restarts.failures >= TRIES;
