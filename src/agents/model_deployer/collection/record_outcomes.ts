import { z } from "zod";
import {
  type RecordedOutcomes,
  type ToldOutcome,
  toldOutcomeSchema,
} from "../domain/evidence/late_outcomes.ts";
import type { Origin } from "../domain/access/roles.ts";
import { InvalidRequestError, NotFoundError } from "../errors.ts";
import type { Database } from "../ports/parts.ts";

/** The most outcomes of one call. */
export const MOST_OUTCOMES_AT_ONCE = 10_000;

export interface RecordOptions {
  /** The principal who tells them. */
  by: string;
  /** Where they are told from. */
  origin?: Origin | null;
  /** Where given, outcomes of another endpoint's requests are counted and not kept. */
  endpoint_name?: string;
}

/**
 * Tells what turned out to be true of requests that were answered, in any order and any time later; the same again
 * changes nothing. All are kept or none.
 * @throws InvalidRequestError | NotFoundError | ServiceUnavailableError
 */
export async function recordOutcomes(
  { outcomes: store, endpoints }: Pick<Database, "outcomes" | "endpoints">,
  outcomes: readonly ToldOutcome[],
  { by, origin = null, endpoint_name }: RecordOptions,
): Promise<RecordedOutcomes> {
  const checked = checkedOutcomes(outcomes);
  if (endpoint_name !== undefined && (await endpoints.get(endpoint_name)) === null) {
    throw new NotFoundError(
      `Endpoint ${endpoint_name} does not exist; see status for those that do, or name none.`,
    );
  }
  return store.record(checked, { by, origin, endpoint_name: endpoint_name ?? null });
}

function checkedOutcomes(outcomes: readonly unknown[]): ToldOutcome[] {
  if (outcomes.length > MOST_OUTCOMES_AT_ONCE) {
    throw new InvalidRequestError(
      `${outcomes.length} outcomes are too many for one call: tell at most ${MOST_OUTCOMES_AT_ONCE} at once.`,
    );
  }
  return outcomes.map((outcome, index) => {
    const parsed = toldOutcomeSchema.safeParse(outcome);
    if (parsed.success) return storable(parsed.data);
    const given = (JSON.stringify(outcome) ?? String(outcome)).slice(0, 200);
    throw new InvalidRequestError(
      `Outcome ${index + 1} is not valid, and none was kept: ${z.prettifyError(parsed.error)} (given ${given}). Write {"request_id": "...", "outcome": a class, number, true or false, or a list of them}.`,
      { details: { index } },
    );
  });
}

/** Text that Postgres does not hold becomes U+FFFD, as it does in the predictions that it is compared with. */
function storable({ request_id, outcome }: ToldOutcome): ToldOutcome {
  const held = (text: string) => text.toWellFormed().replaceAll("\0", "\ufffd");
  const kept = (value: string | number | boolean) => (typeof value === "string" ? held(value) : value);
  return {
    request_id: held(request_id),
    outcome: Array.isArray(outcome) ? outcome.map(kept) : kept(outcome),
  };
}
