import type { Deadline } from "../../agents/base/deadline.ts";
import { ConflictError } from "../../agents/model_deployer/errors.ts";
import { type Replay, replaySchema, type SentRow } from "../../service/rows/row_schemas.ts";
import type { RemoteApi } from "./remote_api.ts";

/** Well below what a body of the API may have. */
const LARGEST_BODY = 1_000_000;

/**
 * Sends a file's rows in as many requests as it takes, each with those that fit and that the one before had no time for.
 * @param deadline when no further request begins
 */
export async function replayInParts(
  api: Pick<RemoteApi, "ask">,
  { model_version_id, rows }: { model_version_id: string; rows: readonly SentRow[] },
  deadline: Deadline,
): Promise<Replay> {
  const send = (waiting: readonly SentRow[]) => {
    const fitting = firstThatFit(waiting);
    const body = { model_version_id, from: { rows: fitting }, limit: fitting.length };
    return api.ask(replaySchema, "/v1/replays", { body });
  };
  let told = await send(rows);
  let sentLast = told.sent;
  while (sentLast > 0 && told.sent < rows.length && !deadline.signal.aborted) {
    const part = await send(rows.slice(told.sent));
    sentLast = part.sent;
    told = joined(told, part);
  }
  const isWhole = told.sent === rows.length;
  const why_partial = isWhole ? null : deadline.signal.aborted ? deadline.end : told.why_partial;
  return { ...told, chosen: rows.length, why_partial };
}

function joined(before: Replay, part: Replay): Replay {
  if (part.deployment_id !== before.deployment_id) {
    throw new ConflictError(
      `${before.deployment_id} gave way to ${part.deployment_id} after ${before.sent} rows; send them again to have all answers of one.`,
    );
  }
  return {
    ...part,
    sent: before.sent + part.sent,
    failed: before.failed + part.failed,
    rows: [...before.rows, ...part.rows],
  };
}

/** At least one: what is too large by itself is refused by the API, which says how much it takes. */
function firstThatFit(rows: readonly SentRow[]): SentRow[] {
  let size = 0;
  const end = rows.findIndex((row, index) => {
    size += Buffer.byteLength(JSON.stringify(row));
    return index > 0 && size > LARGEST_BODY;
  });
  return rows.slice(0, end === -1 ? rows.length : end);
}
