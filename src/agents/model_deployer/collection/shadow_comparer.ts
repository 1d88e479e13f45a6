import type { Endpoint } from "../domain/entities.ts";
import { storablePrediction } from "../judge/evidence/shadow_pairs.ts";
import { serving } from "../domain/traffic/weights.ts";
import type { Parts } from "../ports/parts.ts";
import type { CallOptions } from "../ports/call_options.ts";
import type { LogPositions } from "../ports/shadow_ports.ts";

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
    const predictions = logs.flatMap(({ id, predictions: lines }) =>
      lines.map((line) => ({
        ...line,
        prediction: storablePrediction(line.prediction),
        side: id === shadow ? ("shadow" as const) : ("production" as const),
      })),
    );
    if (sides.some((id) => to[id] !== from[id])) {
      await shadowComparisons.collect(shadow, { from, to, predictions });
    }
  }
}
