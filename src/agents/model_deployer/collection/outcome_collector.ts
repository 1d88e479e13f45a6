import { createHash } from "node:crypto";
import { AgentError } from "../../base/agent_error.ts";
import type { Endpoint } from "../domain/entities.ts";
import type { OutcomeEvidence, OutcomeSettings, StretchOfRoute } from "../domain/evidence/late_outcomes.ts";
import type { Rollout } from "../domain/traffic/rollout.ts";
import { serving } from "../domain/traffic/weights.ts";
import { sidesOf } from "../judge/counts/live_figures.ts";
import { storablePrediction } from "../judge/evidence/shadow_pairs.ts";
import type { CallOptions } from "../ports/call_options.ts";
import type { ReadPredictions } from "../ports/evidence/prediction_logs_port.ts";
import type { KeptAnswer } from "../ports/evidence/outcome_ports.ts";
import type { Parts } from "../ports/parts.ts";

/** Routes of an endpoint whose answers can still be told apart. */
const KEPT_STRETCHES = 20;

interface LookedUpOutcomes {
  /** Null where the rollout asks for none. */
  outcomes: OutcomeEvidence | null;
  /** Why newer ones are not known; null where they are. */
  outcomes_missing: string | null;
}

/**
 * Keeps the answers of an endpoint's servers for outcomes that come later, and compares those whose outcome has come.
 */
export class OutcomeCollector {
  readonly #parts: Pick<Parts, "database" | "predictionLogs">;

  constructor(parts: Pick<Parts, "database" | "predictionLogs">) {
    this.#parts = parts;
  }

  /** The outcome evidence of a rollout, with the outcomes that were told since the last look; or why it is not known. */
  async lookUp(rollout: Rollout, options: CallOptions): Promise<LookedUpOutcomes> {
    try {
      return { outcomes: await this.#ofRollout(rollout, options), outcomes_missing: null };
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      return { outcomes: rollout.judge_state.outcomes, outcomes_missing: error.message };
    }
  }

  async #ofRollout(rollout: Rollout, options: CallOptions): Promise<OutcomeEvidence | null> {
    const { outcomes: settings } = rollout.judge;
    const { endpoint_name } = rollout;
    if (settings === null) return null;
    const settled_before = await this.#collect(endpoint_name, sidesOf(rollout), settings, options);
    const compared = {
      subject: rollout.rollout_id,
      endpoint_name,
      by: "draw",
      sides: sidesOf(rollout),
    } as const;
    return this.#parts.database.outcomes.compare(compared, { settings, settled_before });
  }

  /** The outcome evidence of the endpoint's shadow; null where its experiment's policy asks for none. */
  async ofShadow(
    { endpoint_name, experiment_id, mirror_deployment_id: shadow_id }: Endpoint,
    options: CallOptions,
  ): Promise<OutcomeEvidence | null> {
    const { outcomes, experiments } = this.#parts.database;
    if (shadow_id === null) return null;
    const settings = (await experiments.getGatePolicy(experiment_id)).judge.outcomes ?? null;
    if (settings === null) return null;
    const settled_before = await this.#collect(endpoint_name, null, settings, options);
    const compared = { subject: shadow_id, endpoint_name, by: "pairs", shadow_id } as const;
    return outcomes.compare(compared, { settings, settled_before });
  }

  /**
   * @param sides of a rollout, whose logs are read though one of them may have no traffic now
   * @returns the instant up to which all logs were read
   */
  async #collect(
    endpointName: string,
    sides: { candidate_id: string; baseline_id: string } | null,
    { sample }: OutcomeSettings,
    options: CallOptions,
  ): Promise<string> {
    const { database, predictionLogs } = this.#parts;
    const [before, endpoint] = await Promise.all([
      database.outcomes.reading(endpointName),
      database.endpoints.get(endpointName),
    ]);
    const mirror = endpoint?.mirror_deployment_id ?? null;
    const served = [...serving(endpoint?.weights ?? {}), ...Object.values(sides ?? {})];
    const ids = [...new Set([...served, ...(mirror === null ? [] : [mirror])])];
    const asked = { ...options, with_failures: true };
    const logs = await Promise.all(
      ids.map(async (id) => ({
        id,
        ...(await predictionLogs.read(id, before.positions[id] ?? null, asked)),
      })),
    );
    const now = await database.clock.now();
    // The route is read after the logs: one that is in force still was in force while they were written.
    const route = await database.endpoints.get(endpointName);
    const to = { ...before.positions };
    for (const { id, position } of logs) if (position !== null) to[id] = position;
    await database.outcomes.collect(endpointName, {
      from: before.positions,
      to,
      stretches: withRoute(before.stretches, route, now),
      answers: logs.flatMap((log) => answersOf(log, log.id === mirror, sample)),
    });
    return readUpTo(logs, now);
  }
}

/** The routes that were in force, the present one up to now. While another one is wanted the last one ends. */
function withRoute(known: readonly StretchOfRoute[], route: Endpoint | null, now: string): StretchOfRoute[] {
  if (route === null) return [...known];
  const { generation, observed_generation, weights, observed_at } = route;
  if (observed_at === null || generation !== observed_generation) return [...known];
  const others = known.filter((one) => one.generation !== generation);
  const from = known.find((one) => one.generation === generation)?.from ?? observed_at;
  return [...others, { generation, weights, from, to: now }].slice(-KEPT_STRETCHES);
}

function answersOf(
  { id, predictions }: ReadPredictions & { id: string },
  is_mirrored: boolean,
  sample: number,
): KeptAnswer[] {
  return predictions.flatMap(({ request_id, prediction, score, answered_at, has_failed = false }) =>
    answered_at === undefined || !isSampled(request_id, sample)
      ? []
      : [
          {
            request_id,
            deployment_id: id,
            is_mirrored,
            prediction: storablePrediction(prediction),
            score,
            has_failed,
            answered_at,
          },
        ],
  );
}

/** Whether a request is in the sample; every server that answers it comes to the same result. */
function isSampled(requestId: string, sample: number): boolean {
  if (sample >= 1) return true;
  return createHash("sha256").update(requestId).digest().readUInt32BE(0) < sample * 2 ** 32;
}

/** All that is still to be read of a log, of several servers maybe, is from after the earliest line that was read now. */
function readUpTo(logs: readonly ReadPredictions[], now: string): string {
  const read = logs.flatMap(({ predictions }) => predictions.flatMap(({ answered_at }) => answered_at ?? []));
  return [...read, now].reduce((earliest, one) => (Date.parse(one) < Date.parse(earliest) ? one : earliest));
}
