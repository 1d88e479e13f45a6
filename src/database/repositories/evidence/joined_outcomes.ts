import { z } from "zod";
import {
  noOutcomes,
  type OutcomeEvidence,
  outcomeEvidenceSchema,
  outcomeSchema,
  type OutcomeSettings,
  stretchOfRouteSchema,
} from "../../../agents/model_deployer/domain/evidence/late_outcomes.ts";
import { addOutcomes, addPairs } from "../../../agents/model_deployer/judge/evidence/outcome_evidence.ts";
import type { ComparedAnswers } from "../../../agents/model_deployer/ports/evidence/outcome_ports.ts";
import { json } from "../../rows.ts";
import { anyRow, type Queries } from "../../connection/transaction.ts";

/** Joined answers that one call compares at most; the next one goes on. */
const AT_ONCE = 1000;

const evidenceRow = z.strictObject({ evidence: outcomeEvidenceSchema });
const stretchesRow = z.strictObject({ stretches: z.array(stretchOfRouteSchema) });
const answered = { prediction: z.unknown(), score: z.number().nullable(), has_failed: z.boolean() };
const drawnRow = z.strictObject({
  request_id: z.string(),
  deployment_id: z.string(),
  answered_at: z.string(),
  outcome: outcomeSchema,
  ...answered,
});
const pairRow = z.strictObject({
  request_id: z.string(),
  candidate: z.strictObject(answered),
  baseline: z.strictObject(answered),
  outcome: outcomeSchema,
});

interface Options {
  settings: OutcomeSettings;
  settled_before: string;
}

/**
 * The outcome of the answer `a`: told for its endpoint, or else one that names no endpoint, where no other endpoint has
 * answered a request of that id.
 */
const OUTCOME = `join ml_outcomes o on o.request_id = a.request_id and (
  o.endpoint_name = a.endpoint_name or o.endpoint_name is null and not exists (
    select from ml_answers b where b.request_id = a.request_id and b.endpoint_name <> a.endpoint_name
  ) and not exists (
    select from ml_outcomes n where n.request_id = a.request_id and n.endpoint_name = a.endpoint_name
  )
)`;

/** In one transaction: takes what was joined and adds it to the evidence, or neither. */
export async function compareJoined(
  tx: Queries,
  compared: ComparedAnswers,
  options: Options,
): Promise<OutcomeEvidence> {
  const { subject, endpoint_name } = compared;
  await tx.query(
    anyRow,
    "insert into ml_outcome_comparisons (subject, evidence) values ($1, $2) on conflict do nothing",
    [subject, json(noOutcomes)],
  );
  const [stored] = await tx.query(
    evidenceRow,
    "select evidence from ml_outcome_comparisons where subject = $1 for update",
    [subject],
  );
  const before = stored?.evidence ?? noOutcomes;
  const { after, taken } =
    compared.by === "draw"
      ? await drawn(tx, compared, before, options)
      : await paired(tx, compared, before, options);
  if (taken.length === 0) return before;
  await tx.query(
    anyRow,
    "update ml_outcome_comparisons set evidence = $2, updated_at = clock_timestamp() where subject = $1",
    [subject, json(after)],
  );
  await tx.query(
    anyRow,
    `update ml_answers set compared_at = clock_timestamp()
     where endpoint_name = $1 and is_mirrored = $2 and request_id = any($3)`,
    [endpoint_name, compared.by === "pairs", taken],
  );
  return after;
}

interface Added {
  after: OutcomeEvidence;
  /** Ids of the requests that were added. */
  taken: string[];
}

async function drawn(
  tx: Queries,
  { endpoint_name, sides }: Extract<ComparedAnswers, { by: "draw" }>,
  before: OutcomeEvidence,
  { settings, settled_before }: Options,
): Promise<Added> {
  const rows = await tx.query(
    drawnRow,
    `select a.request_id, a.deployment_id, a.answered_at, a.prediction, a.score, a.has_failed, o.outcome
     from ml_answers a ${OUTCOME}
     where a.endpoint_name = $1 and not a.is_mirrored and a.compared_at is null and a.deployment_id = any($2)
       and a.answered_at < $3
     order by o.recorded_at, a.request_id limit $4 for update of a`,
    [endpoint_name, [sides.candidate_id, sides.baseline_id], settled_before, AT_ONCE],
  );
  const [log] = await tx.query(
    stretchesRow,
    "select stretches from ml_answer_logs where endpoint_name = $1",
    [endpoint_name],
  );
  return {
    after: addOutcomes(before, rows, log?.stretches ?? [], sides, settings),
    taken: rows.map(({ request_id }) => request_id),
  };
}

async function paired(
  tx: Queries,
  { endpoint_name, shadow_id }: Extract<ComparedAnswers, { by: "pairs" }>,
  before: OutcomeEvidence,
  { settings, settled_before }: Options,
): Promise<Added> {
  const side = (alias: string) =>
    `jsonb_build_object('prediction', ${alias}.prediction, 'score', ${alias}.score, 'has_failed', ${alias}.has_failed)`;
  const rows = await tx.query(
    pairRow,
    `select s.request_id, ${side("s")} as candidate, ${side("a")} as baseline, o.outcome
     from ml_answers s join ml_answers a using (endpoint_name, request_id) ${OUTCOME}
     where s.endpoint_name = $1 and s.is_mirrored and not a.is_mirrored and s.compared_at is null
       and s.deployment_id = $2 and s.answered_at < $3 and a.answered_at < $3
     order by o.recorded_at, s.request_id limit $4 for update of s`,
    [endpoint_name, shadow_id, settled_before, AT_ONCE],
  );
  return {
    after: addPairs(before, rows, settings),
    taken: rows.map(({ request_id }) => request_id),
  };
}
