import type { ShadowEvidence } from "../../domain/entities.ts";
import type { GatePolicy } from "../../domain/models/gate_policy.ts";
import { disagreementRate } from "../../judge/evidence/shadow_pairs.ts";
import { percent } from "../../judge/sentences.ts";
import { decimal, type DecisionRow } from "./decision_row.ts";
import { hoursText } from "../wording/shadow_hours.ts";

/** A bound as text, and whether the shadow keeps it. */
type Required = [text: string, met: boolean];

/** A shadow's figures beside the bounds of the policy; a plan of an older release names no policy. */
export function shadowRows(
  shadow: ShadowEvidence | null,
  policy: GatePolicy | undefined,
  worseBy: { required: number; known: number | null } | null,
): DecisionRow[] {
  if (shadow === null) return [];
  return [
    ...figureRows(shadow, policy),
    ...(worseBy === null ? [] : [boundRow(worseBy)]),
    ...comparisonRows(shadow, policy),
  ];
}

function row(what: string, candidate: string, required?: Required): DecisionRow {
  const [bound = null, met = null] = required ?? [];
  return { group: "shadow", what, required: bound, candidate, production: null, met };
}

function figureRows(
  { hours, requests, errors, p99_ms }: ShadowEvidence,
  limit: GatePolicy | undefined,
): DecisionRow[] {
  const share = requests === 0 ? 0 : errors / requests;
  return [
    row(
      "time in shadow",
      hoursText(hours),
      limit && [`≥ ${hoursText(limit.minimum_shadow_hours)}`, hours >= limit.minimum_shadow_hours],
    ),
    row(
      "mirrored requests",
      String(requests),
      limit && [`≥ ${limit.minimum_shadow_requests}`, requests >= limit.minimum_shadow_requests],
    ),
    row(
      "failed",
      `${errors} (${percent(share)})`,
      limit && [`≤ ${percent(limit.maximum_shadow_error_rate)}`, share <= limit.maximum_shadow_error_rate],
    ),
    row(
      "p99",
      p99_ms === null ? "not measured" : `${decimal(p99_ms)} ms`,
      limit && [
        `≤ ${decimal(limit.maximum_shadow_p99_ms)} ms`,
        p99_ms !== null && p99_ms <= limit.maximum_shadow_p99_ms,
      ],
    ),
  ];
}

function boundRow({ required, known }: { required: number; known: number | null }): DecisionRow {
  return row("worse than production by at most", known === null ? "unknown" : percent(known), [
    `≤ ${percent(required)}`,
    known !== null && known <= required,
  ]);
}

function comparisonRows({ comparison }: ShadowEvidence, policy: GatePolicy | undefined): DecisionRow[] {
  const compared = comparison ?? null;
  if (compared === null || compared.pairs === 0) return [];
  const share = disagreementRate(compared);
  const most = policy?.maximum_shadow_disagreement ?? null;
  const difference =
    compared.scored === 0
      ? []
      : [row("score, mean difference", decimal(compared.sum_difference / compared.scored))];
  return [
    row(
      "predicts otherwise than production",
      `${compared.disagreements} of ${compared.pairs} (${percent(share)})`,
      most === null ? undefined : [`≤ ${percent(most)}`, share <= most],
    ),
    ...difference,
  ];
}
