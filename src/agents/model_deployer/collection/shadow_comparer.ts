import type { Endpoint } from "../domain/entities.ts";
import { storablePrediction } from "../judge/evidence/shadow_pairs.ts";
import { serving } from "../domain/traffic/weights.ts";
import type { Parts } from "../ports/parts.ts";
import type { CallOptions } from "../ports/call_options.ts";
import type { LoggedPrediction } from "../ports/evidence/prediction_logs_port.ts";
import type { LogPositions } from "../ports/evidence/shadow_ports.ts";

/** Longer than a request takes: one that began so long before any of the shadow's was never copied to it. */
const BEFORE_THE_SHADOW_MS = 60_000;

interface ReadLog {
  id: string;
  predictions: readonly LoggedPrediction[];
}

/**
 * Reads the prediction logs of a shadow and of the deployments beside it from where it stopped, and has them paired by
 * request id.
 */
export class ShadowComparer {
  readonly #parts: Pick<Parts, "database" | "predictionLogs">;

  constructor(parts: Pick<Parts, "database" | "predictionLogs">) {
    this.#parts = parts;
  }

  async collect(endpoint: Endpoint, options: CallOptions): Promise<void> {
    const { predictionLogs, database } = this.#parts;
    const { shadowComparisons } = database;
    const shadow = endpoint.mirror_deployment_id;
    if (shadow === null) return;
    const from = await shadowComparisons.positions(shadow);
    const sides = [shadow, ...serving(endpoint.weights)];
    const logs = await Promise.all(
      sides.map(async (id) => ({ id, ...(await predictionLogs.read(id, from[id] ?? null, options)) })),
    );
    const to: LogPositions = {};
    for (const { id, position } of logs) if (position !== null) to[id] = position;
    const own = logs.find(({ id }) => id === shadow)?.predictions ?? [];
    const awaited = (log: ReadLog) =>
      from[log.id] === undefined ? withCounterparts(log, own) : log.predictions;
    const predictions = logs.flatMap((log) =>
      awaited(log).map((line) => ({
        ...line,
        prediction: storablePrediction(line.prediction),
        side: log.id === shadow ? ("shadow" as const) : ("production" as const),
      })),
    );
    if (sides.some((id) => to[id] !== from[id])) {
      await shadowComparisons.collect(shadow, { from, to, predictions });
    }
  }
}

/**
 * A log that is read for the first time may tell of hours before the shadow: those lines have no counterpart, and would wait
 * for one in vain. The logs' own times decide, since another clock may be off.
 */
function withCounterparts(
  { predictions }: ReadLog,
  own: readonly LoggedPrediction[],
): readonly LoggedPrediction[] {
  const began = ({ answered_at }: LoggedPrediction) =>
    answered_at === undefined ? NaN : Date.parse(answered_at);
  const newest = predictions.map(began).reduce((latest, one) => (one > latest ? one : latest), -Infinity);
  const first = own.map(began).reduce((earliest, one) => (one < earliest ? one : earliest), newest);
  return predictions.filter((line) => !(began(line) < first - BEFORE_THE_SHADOW_MS));
}
