import type { Origin } from "../../domain/access/roles.ts";
import type {
  Answered,
  OutcomeEvidence,
  OutcomeSettings,
  RecordedOutcomes,
  StretchOfRoute,
  ToldOutcome,
} from "../../domain/evidence/late_outcomes.ts";
import type { JudgedSides } from "../../judge/observe.ts";
import type { LogPositions } from "./shadow_ports.ts";

/** A server's answer as it is kept until its outcome is told. */
export interface KeptAnswer extends Answered {
  request_id: string;
  deployment_id: string;
  /** Whether nobody saw it: the answer of a shadow. */
  is_mirrored: boolean;
  answered_at: string;
}

/** How far the logs of an endpoint's servers were read, and under which routes. */
export interface ReadAnswers {
  positions: LogPositions;
  /** The newest last. */
  stretches: StretchOfRoute[];
  /** Answers whose request id an earlier request had; only the first request of an id is compared. */
  repeated_ids: number;
  /** Answers that are kept now. */
  kept: number;
}

export interface CollectedAnswers {
  /** The positions that were read from. */
  from: LogPositions;
  /** Those that are read now. */
  to: LogPositions;
  stretches: StretchOfRoute[];
  answers: KeptAnswer[];
}

/** Whose answers are compared: both sides of a rollout, or a shadow with what served beside it. */
export type ComparedAnswers =
  | { subject: string; endpoint_name: string; by: "draw"; sides: JudgedSides }
  | { subject: string; endpoint_name: string; by: "pairs"; shadow_id: string };

/** Outcomes that are told later, and the answers that they belong to, joined by request id in any order. */
export interface OutcomeStore {
  /** All or none of them; `by` is the principal who tells them. */
  record(
    outcomes: readonly ToldOutcome[],
    told: { by: string; origin?: Origin | null; endpoint_name: string | null },
  ): Promise<RecordedOutcomes>;
  /** @throws NotFoundError for an endpoint that does not exist */
  reading(endpointName: string): Promise<ReadAnswers>;
  /** Changes nothing when another collector has read on from `from` already. */
  collect(endpointName: string, collected: CollectedAnswers): Promise<void>;
  /**
   * Adds what was joined since the last call, of answers before `settled_before`, each once. Every log was read up to that
   * instant, so that no earlier request of an id is to come.
   */
  compare(
    compared: ComparedAnswers,
    options: { settings: OutcomeSettings; settled_before: string },
  ): Promise<OutcomeEvidence>;
  /** Null where nothing was ever compared. @param subject a rollout's id, or a shadow's deployment id */
  read(subject: string): Promise<OutcomeEvidence | null>;
}
