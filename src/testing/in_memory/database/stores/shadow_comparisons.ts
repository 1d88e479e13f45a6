import {
  compare,
  nothingCompared,
  type Pair,
  type ShadowComparison,
} from "../../../../agents/model_deployer/domain/shadow_comparison.ts";
import type {
  CollectedPredictions,
  LogPositions,
  ShadowComparisonStore,
} from "../../../../agents/model_deployer/store_ports.ts";
import type { Tables, UnpairedPredictionRow } from "../tables.ts";

/** Longer apart than this, two lines of one request are not awaited any more. */
const WAIT_SECONDS = 600;

export class InMemoryShadowComparisons implements ShadowComparisonStore {
  readonly #tables: Tables;

  constructor(tables: Tables) {
    this.#tables = tables;
  }

  async positions(shadowId: string): Promise<LogPositions> {
    return this.#tables.comparisons.get(shadowId)?.positions ?? {};
  }

  async collect(shadowId: string, collected: CollectedPredictions): Promise<void> {
    const { comparisons, deployments } = this.#tables;
    this.#tables.transaction(() => {
      deployments.require(shadowId);
      const nothing = { deployment_id: shadowId, comparison: nothingCompared, positions: {} };
      const stored = comparisons.get(shadowId) ?? nothing;
      comparisons.put(stored);
      if (!isSame(stored.positions, collected.from)) return;
      this.#keep(shadowId, collected);
      comparisons.put({
        deployment_id: shadowId,
        comparison: compare(stored.comparison, this.#takePairs(shadowId)),
        positions: { ...collected.from, ...collected.to },
      });
    });
  }

  async read(shadowId: string): Promise<ShadowComparison | null> {
    return this.#tables.comparisons.get(shadowId)?.comparison ?? null;
  }

  #keep(shadow_id: string, { predictions }: CollectedPredictions): void {
    const { unpaired, clock } = this.#tables;
    for (const { side, request_id, prediction, score } of predictions) {
      const row = { shadow_id, side, request_id, prediction, score, read_at: clock.now() };
      const isKept = unpaired.first((one) => isSameLine(one, row)) !== null;
      if (!isKept) unpaired.insert(row);
    }
  }

  #takePairs(shadowId: string): Pair[] {
    const { unpaired, clock } = this.#tables;
    const waiting = unpaired.where((row) => row.shadow_id === shadowId);
    const production = new Map(
      waiting.filter(({ side }) => side === "production").map((row) => [row.request_id, row]),
    );
    const pairs: Pair[] = [];
    for (const shadow of waiting.filter(({ side }) => side === "shadow")) {
      const counterpart = production.get(shadow.request_id);
      if (counterpart === undefined) continue;
      pairs.push({ shadow, production: counterpart });
      unpaired.remove(shadow);
      unpaired.remove(counterpart);
    }
    for (const row of waiting) {
      if (clock.secondsSince(row.read_at) > WAIT_SECONDS) unpaired.remove(row);
    }
    return pairs;
  }
}

const isSame = (a: LogPositions, b: LogPositions): boolean =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => a[key] === b[key]);

const isSameLine = (a: UnpairedPredictionRow, b: UnpairedPredictionRow): boolean =>
  a.shadow_id === b.shadow_id && a.side === b.side && a.request_id === b.request_id;
