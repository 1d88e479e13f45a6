import type { KeptAnswer } from "../../../../agents/model_deployer/ports/evidence/outcome_ports.ts";
import type { OutcomeSettings } from "../../../../agents/model_deployer/domain/evidence/late_outcomes.ts";
import type { TestDatabase } from "../../../in_memory/database/in_memory_database.ts";
import { apply } from "../database_setup.ts";

export const ENDPOINT = "e2i_exp";
export const OTHER = "e2i_other";
export const settings: OutcomeSettings = {
  measure: "accuracy",
  minimum_outcomes: 0,
  worse_by: 0.01,
  sample: 1,
};
export const drawn = {
  subject: "rollout1",
  endpoint_name: ENDPOINT,
  by: "draw",
  sides: { candidate_id: "d2", baseline_id: "d1" },
} as const;
export const at = (second: number): string => new Date(Date.UTC(2026, 0, 1) + 1000 * second).toISOString();
export const stretches = [{ generation: 1, weights: { d1: 50, d2: 50 }, from: at(0), to: at(100_000) }];
export const never = { settings, settled_before: at(1_000_000) };

export const answer = (
  request_id: string,
  deployment_id: string,
  prediction: string | null,
  second = 1000,
): KeptAnswer => ({
  request_id,
  deployment_id,
  is_mirrored: false,
  prediction,
  score: null,
  has_failed: prediction === null,
  answered_at: at(second),
});

let positions = 0;
export async function collect(db: TestDatabase, ...answers: KeptAnswer[]): Promise<void> {
  const { positions: from } = await db.outcomes.reading(ENDPOINT);
  positions += 1;
  await db.outcomes.collect(ENDPOINT, { from, to: { ...from, d1: String(positions) }, stretches, answers });
}

export const tell = (
  db: TestDatabase,
  outcomes: Record<string, string>,
  endpoint_name: string | null = null,
) =>
  db.outcomes.record(
    Object.entries(outcomes).map(([request_id, outcome]) => ({ request_id, outcome })),
    { by: "ana", endpoint_name },
  );

/** Whose requests may have the ids of the first one's. */
export const openAnother = (db: TestDatabase) =>
  apply(db, {
    change: "open_endpoint",
    endpoint_name: OTHER,
    experiment_id: "exp",
    endpoint_url: "http://127.0.0.1:9",
  });

/** Enough of both sides that a block is compared, beside what a test is about. */
export const many = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) =>
    answer(`r${from + index}`, index % 2 === 0 ? "d2" : "d1", index % 4 === 0 ? "no" : "yes"),
  );
export const truths = (answers: KeptAnswer[]) =>
  Object.fromEntries(answers.map(({ request_id }) => [request_id, "yes"]));
