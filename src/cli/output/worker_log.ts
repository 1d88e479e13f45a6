import type { TickReport } from "../../worker/tick_report.ts";

export interface WorkerEvent {
  level: "info" | "warn";
  event:
    | "started"
    | "rollout"
    | "under_way"
    | "resumed"
    | "drained"
    | "drift"
    | "upkeep"
    | "checkpoints"
    | "problem"
    | "recovered"
    | "stopped";
  message: string;
  [field: string]: string;
}

/** The events of a round that are worth a line; a look that held is not. */
export function eventsOf({
  rollouts,
  resumed,
  progress,
  drained,
  reconciliation,
  upkeep,
  told,
}: TickReport): WorkerEvent[] {
  return [
    ...rollouts
      .filter((one) => one.advance === "move")
      .map((one) => ({
        level: "info" as const,
        event: "rollout" as const,
        message: `${one.rollout_id} moves: ${one.reason}`,
        rollout_id: one.rollout_id,
      })),
    ...progress.map((message) => ({ level: "info" as const, event: "under_way" as const, message })),
    ...resumed.map(({ operation_id, outcome, reason }) => ({
      level: "info" as const,
      event: "resumed" as const,
      message: `${operation_id} is ${outcome}: ${reason}`,
      operation_id,
    })),
    ...drained.map((id) => ({
      level: "info" as const,
      event: "drained" as const,
      message: `the server of ${id} was stopped`,
      deployment_id: id,
    })),
    ...(reconciliation?.findings ?? []).map(({ part, subject, found, outcome, why }) => ({
      level: outcome === "repaired" ? ("info" as const) : ("warn" as const),
      event: "drift" as const,
      message: `${subject} had ${found} and is ${outcome}${why === null ? "" : `: ${why}`}`,
      part,
      subject,
      outcome,
    })),
    ...upkeep.map((message) => ({ level: "info" as const, event: "upkeep" as const, message })),
    ...told.problems.map((message) => ({ level: "warn" as const, event: "problem" as const, message })),
    ...told.recovered.map((message) => ({ level: "info" as const, event: "recovered" as const, message })),
  ];
}
