import { ProductionCriteriaNotMetError } from "../errors.ts";
import type { StepOf } from "../domain/plan.ts";
import {
  type KeptRow,
  type ReplayedRow,
  type Row,
  turnedToErrors,
  hasFailed,
} from "../domain/evidence/kept_rows.ts";
import { storablePrediction } from "../judge/evidence/shadow_pairs.ts";
import type { CallOptions } from "../ports/call_options.ts";
import type { Parts } from "../ports/parts.ts";
import type { LogPositions } from "../ports/evidence/shadow_ports.ts";
import type { RowKeepingEndpoint, RowServers } from "../ports/evidence/row_ports.ts";

/** Rows that a deployment to production is asked before its first share, and for how long. */
const REPLAYED = 200;
const REPLAY_MS = 20_000;
const AT_ONCE = 4;
const NAMED = 5;

type NeededParts = Pick<Parts, "database" | "predictionLogs" | "rowServers">;

/** Keeps a sample of requests with what each side answered, where a policy asks for it, and sends them again. */
export class RowKeeper {
  readonly #parts: NeededParts;

  constructor(parts: NeededParts) {
    this.#parts = parts;
  }

  /** Brings the servers of an endpoint to its policy, and keeps what they have logged since. */
  async collect(
    { endpoint_name, deployment_ids, settings }: RowKeepingEndpoint,
    options: CallOptions,
  ): Promise<void> {
    const { database, predictionLogs, rowServers } = this.#parts;
    if (rowServers === undefined) return;
    for (const id of deployment_ids) await rowServers.keepRows(id, settings, options);
    if (settings === null) return database.keptRows.forget(endpoint_name);
    const from = await database.keptRows.positions(endpoint_name);
    const asked = { ...options, with_failures: true };
    const logs = await Promise.all(
      deployment_ids.map(async (id) => ({ id, ...(await predictionLogs.read(id, from[id] ?? null, asked)) })),
    );
    const to: LogPositions = {};
    for (const { id, position } of logs) if (position !== null) to[id] = position;
    if (deployment_ids.every((id) => to[id] === from[id])) return;
    const rows = logs.flatMap(({ id, predictions }) =>
      predictions.flatMap(
        ({ request_id, prediction, score, answered_at, has_failed = false, row }): KeptRow[] => {
          if (row === undefined || answered_at === undefined) return [];
          const answer = { prediction: storablePrediction(prediction), score, has_failed, answered_at };
          return [{ ...row, request_id, answers: [{ deployment_id: id, ...answer }] }];
        },
      ),
    );
    const { most, hashed } = settings;
    await database.keptRows.collect(endpoint_name, { from, to, rows, most, hashes: hashed.length > 0 });
  }

  /**
   * Sends an endpoint's newest kept rows to a deployment without traffic. What serves now is asked for those that it
   * answers with an error, since a row that is hidden in part may be no good to anybody.
   * @throws ProductionCriteriaNotMetError that names the rows of which answers turn into errors
   */
  async check(
    { endpoint_name, deployment_id, baseline_deployment_id, on_errors }: StepOf<"replay_rows">,
    { signal }: CallOptions,
  ): Promise<Record<string, unknown>> {
    const { database, rowServers } = this.#parts;
    if (rowServers === undefined || !(await rowServers.takesRows(deployment_id)))
      return { sent: 0, why: "this engine keeps no rows" };
    const rows = await database.keptRows.list(endpoint_name, { limit: REPLAYED });
    const until = AbortSignal.timeout(REPLAY_MS);
    const isAsked = await rowServers.takesRows(baseline_deployment_id);
    const sides = { candidate: deployment_id, baseline: isAsked ? baseline_deployment_id : null };
    const replayed = await replay(rowServers, rows, sides, { signal, until });
    const turned = turnedToErrors(replayed);
    if (turned.length > 0 && on_errors === "refuse") throw refusal(deployment_id, turned, replayed.length);
    const request_ids = turned.slice(0, NAMED).map(({ request_id }) => request_id);
    return { sent: replayed.length, kept: rows.length, turned_to_errors: turned.length, request_ids };
  }
}

/**
 * Sends rows in their order, a few at a time; the answers are those of the first so many, in the same order. One that cannot
 * be sent ends it.
 * @param until when no more rows are sent
 */
export async function replay(
  servers: RowServers,
  rows: readonly (Row & { request_id: string })[],
  sides: { candidate: string; baseline: string | null },
  { signal, until = signal }: CallOptions & { until?: AbortSignal },
): Promise<ReplayedRow[]> {
  const replayed: ReplayedRow[] = [];
  const failed = new AbortController();
  const ended = AbortSignal.any([signal, until, failed.signal]);
  const waiting = rows.entries();
  const lane = async () => {
    for (const [index, { request_id, path, input }] of waiting) {
      if (ended.aborted) return;
      const candidate = await servers.predictRow(sides.candidate, { path, input }, { signal });
      const baseline =
        sides.baseline !== null && hasFailed(candidate)
          ? await servers.predictRow(sides.baseline, { path, input }, { signal })
          : null;
      replayed[index] = { request_id, candidate, baseline };
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  } catch (error) {
    failed.abort();
    throw error;
  }
  return replayed;
}

function refusal(
  deployment: string,
  turned: readonly ReplayedRow[],
  sent: number,
): ProductionCriteriaNotMetError {
  const named = turned
    .slice(0, NAMED)
    .map(
      ({ request_id, candidate }) => `${request_id} (${candidate.status}: ${candidate.body.slice(0, 200)})`,
    );
  const more = turned.length > NAMED ? ` and ${turned.length - NAMED} more` : "";
  const sentence =
    `${deployment} answers ${turned.length} of ${sent} kept rows with an error that what serves now answers well: ` +
    `${named.join(", ")}${more}. See \`disagreements\` for kept rows; \`policy set --rows\` with on_errors=tell lets it through.`;
  const unmet = {
    criterion: "kept_rows",
    required: "no answer that turns into an error",
    observed: `${turned.length} of ${sent}`,
    sentence,
  };
  return new ProductionCriteriaNotMetError(sentence, [unmet]);
}
